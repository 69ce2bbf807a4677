//! What can be wrong with a topology's text before rules judge what it declares.

use crate::diagnostic::Code;

/// Every code of this module, for `stolos explain`.
pub static CODES: &[&Code] = &[
    &KEY_UNKNOWN,
    &KEY_MISSING,
    &TYPE_MISMATCH,
    &VALUE_UNKNOWN,
    &NUMBER_OUT_OF_RANGE,
    &PORT_OUT_OF_RANGE,
    &ADDRESS_MALFORMED,
    &CIDR_MALFORMED,
    &DURATION_MALFORMED,
    &VERSION_UNSUPPORTED,
    &ISTIO_VERSION_MALFORMED,
    &ISTIO_VERSION_UNKNOWN,
    &CHARTS_URL_MALFORMED,
    &ROOT_MALFORMED,
    &PRIMARIES_MISSING,
    &PRIMARIES_ON_PRIMARY,
    &TOPOLOGY_EMPTY,
    &PATH_NOT_FOUND,
    &SEVERAL_PATHS,
    &FOLDER_EMPTY,
    &FILE_UNREADABLE,
    &FILE_NOT_UTF8,
];

macro_rules! code {
    ($(#[$doc:meta])* $code:ident, $name:literal, $summary:literal) => {
        $(#[$doc])*
        pub(super) static $code: Code = Code {
            name: $name,
            summary: $summary,
            page: include_str!(concat!("pages/", $name, ".md")),
        };
    };
}

code!(
    /// A key that no table knows.
    KEY_UNKNOWN, "key-unknown", "a key is not known"
);
code!(
    /// A key that has to be there.
    KEY_MISSING, "key-missing", "a required key is missing"
);
code!(
    /// A list where a map is expected, and the like.
    TYPE_MISMATCH, "type-mismatch", "a value is of the wrong kind"
);
code!(
    /// A word that a key does not take.
    VALUE_UNKNOWN, "value-unknown", "a key does not take this value"
);
code!(
    /// A number that is too small, too large or not whole.
    NUMBER_OUT_OF_RANGE, "number-out-of-range", "a number is out of range"
);
code!(
    /// A port that is none.
    PORT_OUT_OF_RANGE, "port-out-of-range", "a port is not between 1 and 65535"
);
code!(
    /// A host that is none.
    ADDRESS_MALFORMED, "address-malformed", "an address is neither an IP address nor a DNS name"
);
code!(
    /// A block of addresses that is none.
    CIDR_MALFORMED, "cidr-malformed", "a block of addresses cannot be read"
);
code!(
    /// A span of time that is none, or no time at all.
    DURATION_MALFORMED, "duration-malformed", "a span of time cannot be read"
);
code!(
    /// A version of the file's keys that this program does not know.
    VERSION_UNSUPPORTED, "version-unsupported", "the version of the topology file is not supported"
);
code!(
    /// A text that is no version.
    ISTIO_VERSION_MALFORMED, "istio-version-malformed", "the Istio version cannot be read"
);
code!(
    /// A version that the charts are not for.
    ISTIO_VERSION_UNKNOWN, "istio-version-unknown", "the Istio version is not supported"
);
code!(
    /// A repository or a registry whose URL is none.
    CHARTS_URL_MALFORMED, "charts-url-malformed", "the URL of a source of charts cannot be used"
);
code!(
    /// A root that is none of the forms.
    ROOT_MALFORMED, "root-malformed", "the root of trust is not given in a known form"
);
code!(
    /// A remote that nobody serves.
    PRIMARIES_MISSING, "primaries-missing", "a remote names no primary"
);
code!(
    /// A primary that names primaries.
    PRIMARIES_ON_PRIMARY, "primaries-on-primary", "a primary names primaries"
);
code!(
    /// Nothing to read.
    TOPOLOGY_EMPTY, "topology-empty", "the topology is empty"
);
code!(
    /// A path that leads nowhere.
    PATH_NOT_FOUND, "path-not-found", "there is no such file or folder"
);
code!(
    /// More than one path.
    SEVERAL_PATHS, "several-paths", "more than one path is given"
);
code!(
    /// A folder without topology files.
    FOLDER_EMPTY, "folder-empty", "the folder holds no topology file"
);
code!(
    /// A file that cannot be read.
    FILE_UNREADABLE, "file-unreadable", "the file cannot be read"
);
code!(
    /// A file that is no text.
    FILE_NOT_UTF8, "file-not-utf8", "the file is not UTF-8 text"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_and_a_page_that_shows_what_to_write() {
        let mut names = std::collections::BTreeSet::new();
        for code in CODES.iter().chain(crate::document::CODES) {
            assert!(names.insert(code.name), "{}", code.name);
            assert!(code.page.len() > 100 && code.page.ends_with('\n'), "{}", code.name);
            assert!(code.page.lines().all(|line| line.len() <= 110), "{}", code.name);
        }
    }
}
