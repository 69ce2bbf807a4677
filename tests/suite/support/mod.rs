//! What several modules of the suite need.

<<<<<<< HEAD
pub(crate) mod helm;
pub(crate) mod official;
=======
pub(crate) mod command;
pub(crate) mod golden;
>>>>>>> b18d7b1 (cli: validate and schema)
pub(crate) mod scripted;
