//! What a query asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::route::percent_decoded;
use crate::object::kinds::Subresource;
use crate::sandbox::api_error::ApiError;
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
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>, ApiError> {
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
        Ok(self.number("timeoutSeconds")?.filter(|seconds| *seconds > 0).map(Duration::from_secs))
    }

    /// `dryRun`.
    pub(crate) fn run(&self) -> Result<Run, ApiError> {
        match self.text("dryRun") {
            "" => Ok(Run::Commit),
            "All" => Ok(Run::Dry),
            other => Err(ApiError::bad_request(format!(
                "dryRun: Unsupported value: {other:?}: supported values: \"All\""
            ))),
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
        agent: &str,
    ) -> Result<WriteOptions, ApiError> {
        let program = agent.split('/').next().unwrap_or_default();
        let manager = match self.text("fieldManager") {
            "" => program.chars().filter(|c| !c.is_control()).take(128).collect(),
            manager if manager.len() > 128 => {
                return Err(ApiError::bad_request("fieldManager: Too long: may not be more than 128 bytes"));
            }
            manager => manager.to_owned(),
        };
        let unknown = match self.text("fieldValidation") {
            "Strict" => UnknownFields::Refuse,
            "" | "Warn" | "Ignore" => UnknownFields::Drop,
            other => {
                return Err(ApiError::bad_request(format!(
                    "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Warn\", \"Strict\""
                )));
            }
        };
        Ok(WriteOptions { manager, run: self.run()?, part, unknown })
    }
}

/// The word of a propagation policy.
pub(crate) fn propagation(word: &str) -> Result<Option<Propagation>, ApiError> {
    match word {
        "" => Ok(None),
        "Background" => Ok(Some(Propagation::Background)),
        "Foreground" => Ok(Some(Propagation::Foreground)),
        "Orphan" => Ok(Some(Propagation::Orphan)),
        other => Err(ApiError::bad_request(format!(
            "propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\""
        ))),
    }
}
