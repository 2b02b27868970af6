//! For scripts: `{"verdict","files":[{"path","arm","rows","sha256",…}],"rules":[{"rule","severity","failures",
//! "findings":[{"path","line","message",…}]}]}`.

use crate::report::Report;

/// Writes `report` as one indented object and a newline.
///
/// # Errors
/// A path that is not UTF-8.
pub fn write(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}
