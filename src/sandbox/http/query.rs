//! What a query asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::route::percent_decoded;
use crate::object::kinds::Subresource;
use crate::sandbox::api_error::{ApiError, FieldFault};
use crate::sandbox::merge::Force;
use crate::sandbox::store::{Propagation, Run, UnknownFields, WriteOptions};

/// The parameters of one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the text after the question mark.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let decoded = |text: &str| {
            percent_decoded(&text.replace('+', " "))
                .ok_or_else(|| ApiError::bad_request("the query is not UTF-8 in percent encoding"))
        };
        let mut parameters = BTreeMap::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            parameters.insert(decoded(key)?, decoded(value)?);
        }
        Ok(Self(parameters))
    }

    /// One parameter, empty where it is not there.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.0.get(key).map(String::as_str).unwrap_or_default()
    }

    /// A parameter that is a number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, ApiError> {
        match self.text(key) {
            "" => Ok(None),
            text => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ApiError::bad_request(format!("{key} is no number: {text:?}"))),
            },
        }
    }

    /// A parameter that says yes: `true` or `1`, as Go reads it.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        matches!(self.text(key), "true" | "1" | "True" | "TRUE" | "t" | "T")
    }

    /// `timeoutSeconds`.
    pub(crate) fn timeout(&self) -> Result<Option<Duration>, ApiError> {
        let seconds = self.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs))
    }

    /// `dryRun`, one of the options of this kind.
    pub(crate) fn run(&self, options: &str) -> Result<Run, ApiError> {
        match self.0.get("dryRun").map(String::as_str) {
            None => Ok(Run::Commit),
            Some("All") => Ok(Run::Dry),
            Some(other) => {
                let fault = FieldFault::not_supported("dryRun", serde_json::json!([other]), &["All"]);
                Err(ApiError::invalid_options(options, &fault))
            }
        }
    }

    /// `force`.
    pub(crate) fn force(&self) -> Force {
        if self.is_set("force") { Force::TakeOver } else { Force::Refuse }
    }

    /// `propagationPolicy`.
    pub(crate) fn propagation(&self) -> Result<Option<Propagation>, ApiError> {
        propagation(self.text("propagationPolicy"))
    }

    /// Manager, dry run and part of a write; the manager of a client that names none is its program's.
    pub(crate) fn write_options(
        &self,
        part: Option<Subresource>,
        options: &str,
        agent: &str,
    ) -> Result<WriteOptions, ApiError> {
        let invalid = |fault: FieldFault| Err(ApiError::invalid_options(options, &fault));
        let program = agent.split('/').next().unwrap_or_default();
        let manager = match self.text("fieldManager") {
            "" => program.chars().filter(|c| !c.is_control()).take(128).collect(),
            manager if manager.len() > 128 => {
                return invalid(FieldFault::too_long("fieldManager", 128));
            }
            manager if manager.contains(char::is_control) => {
                let detail = "invalid character in a field manager's name";
                return invalid(FieldFault::invalid("fieldManager", manager.into(), detail));
            }
            manager => manager.to_owned(),
        };
        let unknown = match self.text("fieldValidation") {
            "Strict" => UnknownFields::Refuse,
            "" | "Warn" | "Ignore" => UnknownFields::Drop,
            other => {
                let allowed = ["", "Ignore", "Strict", "Warn"];
                return invalid(FieldFault::not_supported("fieldValidation", other.into(), &allowed));
            }
        };
        Ok(WriteOptions { manager, run: self.run(options)?, part, unknown })
    }
}

/// The word of a propagation policy.
pub(crate) fn propagation(word: &str) -> Result<Option<Propagation>, ApiError> {
    match word {
        "" => Ok(None),
        "Background" => Ok(Some(Propagation::Background)),
        "Foreground" => Ok(Some(Propagation::Foreground)),
        "Orphan" => Ok(Some(Propagation::Orphan)),
        other => {
            let allowed = ["Foreground", "Background", "Orphan", "nil"];
            let fault = FieldFault::not_supported("propagationPolicy", other.into(), &allowed);
            Err(ApiError::invalid_options("DeleteOptions", &fault))
        }
    }
}
