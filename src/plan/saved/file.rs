//! A saved plan as text: `stolos.planfile/v1`.
//!
//! ```text
//! schema    "stolos.planfile/v1": first, so that a file that was cut off is still known for what it was
//! checksum  of `plan`, whatever its layout
//! plan      a SavedPlan
//! ```

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{SavedPlan, VERSION};
use crate::diagnostic::Failure;
use crate::plan::codes;
use crate::plan::inventory::canonical;

/// What schemas of Stolos begin with.
const OURS: &str = "stolos.";
/// What those of saved plans begin with.
const PLANFILE: &str = "stolos.planfile/v";
/// The number of the one that is written here.
const FORMAT: &str = "1";

impl SavedPlan {
    /// The text of its file. No secret is in it.
    pub fn to_text(&self) -> String {
        let plan = serde_json::to_value(self).expect("maps with texts for keys");
        let body = serde_json::to_string_pretty(&plan).expect("a value is always JSON");
        let body = body.replace('\n', "\n  ");
        let checksum = checksum(&plan);
        format!(
            "{{\n  \"schema\": \"{PLANFILE}{FORMAT}\",\n  \"checksum\": \"{checksum}\",\n  \"plan\": {body}\n}}\n"
        )
    }
}

/// The plan that a file holds; none where it is something else, such as a topology.
///
/// It is known by its content alone. One that this version of Stolos may not apply is refused: cut off, edited,
/// saved by another version.
pub fn read(name: &str, bytes: &[u8]) -> Result<Option<SavedPlan>, Failure> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    let document: Value = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(error) if begins_as_plan(bytes) => return Err(broken(name, &error)),
        Err(_) => return Ok(None),
    };
    let Some(schema) = document["schema"].as_str().filter(|schema| schema.starts_with(OURS)) else {
        return Ok(None);
    };
    match schema.strip_prefix(PLANFILE) {
        Some(FORMAT) => {}
        Some(later) if later.parse::<u32>().is_ok_and(|later| later > 1) => {
            let message = format!("{name} is of schema {schema}, which a later Stolos writes");
            return Err(Failure::new(&codes::PLAN_FORMAT_NEWER, message)
                .with_help("apply it with the version that saved it, or plan again with this one"));
        }
        Some(_) | None => {
            let message = format!("{name} is of schema {schema}, which is not that of a saved plan");
            return Err(Failure::new(&codes::PLAN_FORMAT_OTHER, message)
                .with_help("save a plan with: stolos plan PATH --out FILE"));
        }
    }
    let plan = &document["plan"];
    if document["checksum"] != checksum(plan).as_str() {
        let message = format!("{name} is not what was saved: its checksum is another");
        return Err(
            Failure::new(&codes::PLAN_EDITED, message).with_help("plan again: a plan cannot be edited")
        );
    }
    if plan["stolos"] != VERSION {
        let version = plan["stolos"].as_str().unwrap_or("?");
        let message = format!("{name} was saved by Stolos {version}, and this is {VERSION}");
        return Err(Failure::new(&codes::PLAN_OF_ANOTHER_VERSION, message)
            .with_help(format!("plan again with {VERSION}, or apply it with {version}")));
    }
    let unreadable = |error: serde_json::Error| {
        Failure::new(&codes::PLAN_UNREADABLE, format!("{name} is no plan that this Stolos saved: {error}"))
    };
    SavedPlan::deserialize_from(document).map(Some).map_err(unreadable)
}

/// Why a file is not taken for a topology: it is a saved plan, or was to be one.
pub fn refusal_as_topology(name: &str, bytes: &[u8]) -> Option<Failure> {
    match read(name, bytes) {
        Ok(None) => None,
        Ok(Some(plan)) => {
            let message = format!("{name} is a saved plan, where a topology is asked for");
            Some(Failure::new(&codes::PLAN_NOT_A_TOPOLOGY, message).with_help(format!(
                "show it with stolos show {name}, apply it with stolos apply {name}; it was made from {}",
                plan.topology.path
            )))
        }
        Err(failure) => Some(failure),
    }
}

impl SavedPlan {
    fn deserialize_from(mut document: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(document["plan"].take())
    }
}

/// Whether a text that is no JSON begins as a saved plan does.
fn begins_as_plan(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(64).collect();
    start.starts_with(format!("{{\"schema\":\"{PLANFILE}").as_bytes())
}

fn broken(name: &str, error: &serde_json::Error) -> Failure {
    if error.is_eof() {
        let message = format!("{name} is a saved plan that ends in the middle");
        return Failure::new(&codes::PLAN_TRUNCATED, message)
            .with_fact(error.to_string())
            .with_help("copy it again, or plan again");
    }
    Failure::new(&codes::PLAN_UNREADABLE, format!("{name} begins as a saved plan and is no JSON"))
        .with_fact(error.to_string())
        .with_help("plan again")
}

/// The digest of a public file that a topology names.
pub fn digest_of_file(text: &str) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(text)))
}

pub(super) fn checksum(plan: &Value) -> String {
    let mut hash = Sha256::new();
    canonical(&mut hash, plan);
    format!("sha256:{}", HEXLOWER.encode(&hash.finalize()))
}
