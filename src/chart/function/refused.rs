//! Functions that are refused, each with its reason.

/// Why a function is refused; none where it is not.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "now" | "ago" | "date" | "dateInZone" | "date_in_zone" | "dateModify" | "date_modify"
        | "mustDateModify" | "must_date_modify" | "duration" | "durationRound" | "htmlDate"
        | "htmlDateInZone" | "toDate" | "mustToDate" | "unixEpoch" => {
            "it reads the clock or the machine's time zone, and a rendering must be the same every time"
        }
        "randAlphaNum" | "randAlpha" | "randAscii" | "randNumeric" | "randBytes" | "randInt" | "shuffle"
        | "uuidv4" => "its result is random, and a rendering must be the same every time",
        "genCA"
        | "genCAWithKey"
        | "genPrivateKey"
        | "genSelfSignedCert"
        | "genSelfSignedCertWithKey"
        | "genSignedCert"
        | "genSignedCertWithKey"
        | "buildCustomCert"
        | "derivePassword"
        | "bcrypt"
        | "htpasswd"
        | "encryptAES"
        | "decryptAES" => "it makes or handles keys and passwords, which belong in no manifest of a plan",
        "getHostByName" => "it asks the network, and a rendering must not",
        "env" | "expandenv" => "it reads the environment, which Helm refuses too",
        _ => return None,
    })
}
