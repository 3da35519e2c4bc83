//! What the state library costs beside serde_json, ciborium and postcard, on the same value in the same run.

mod codec;
mod document;
mod turns;

use anyhow::Result;

use super::Findings;

/// Takes all figures.
pub fn run() -> Result<Findings> {
    let mut findings = Findings::default();
    findings.measure("encoding and decoding", codec::take);
    Ok(findings)
}
