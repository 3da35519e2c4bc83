//! What the state library costs beside serde_json, ciborium and postcard, on the same value in the same run.

mod codec;
mod compile;
mod document;
mod turns;
mod versions;
mod written;

use anyhow::Result;

use super::Findings;

/// Takes all figures.
pub fn run() -> Result<Findings> {
    let mut findings = Findings::default();
    findings.measure("encoding and decoding", codec::take);
    findings.measure("thirty versions", versions::take);
    findings.measure("bytes written", written::take);
    findings.measure("compile time", compile::take);
    Ok(findings)
}
