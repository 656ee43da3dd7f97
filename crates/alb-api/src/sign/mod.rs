//! Request signatures: V3 (`ACS3-HMAC-SHA256`), which this crate's client sends, and V1 (`HMAC-SHA1`), which older
//! SDKs and some STS calls use. Both are pure functions: time and nonce are arguments.

mod v1;
mod v3;

pub use v1::{sign_v1, string_to_sign_v1};
pub use v3::{Acs3, CanonicalRequest, EMPTY_PAYLOAD_HASH, payload_hash};

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = bytes.as_ref();
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn hmac_sha256(key: &[u8], message: &[u8]) -> impl AsRef<[u8]> {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn hmac_sha1(key: &[u8], message: &[u8]) -> impl AsRef<[u8]> {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes()
}
