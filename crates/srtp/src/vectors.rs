//! What the RFCs say comes out.

use crate::derivation::{Derivation, Label, Part, counter_key};
use crate::session::{Cipher, Session};
use crate::{OVERHEAD, Receiver, Sender, Suite};
use aws_lc_rs::cipher::EncryptionContext;

/// Octets from their hexadecimal spelling.
fn octets(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn the_key_stream_of_counter_mode_is_that_of_rfc_3711_b_2() {
    let key = counter_key(&octets("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
    let block: [u8; 16] = octets("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
    let mut stream = vec![0; 1_044_512];
    key.less_safe_encrypt(&mut stream, EncryptionContext::Iv128((&block).into())).unwrap();
    assert_eq!(
        stream[..48],
        octets(
            "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
             41E95B3BB0A2E8DD477901E4FCA894C0"
        )
    );
    assert_eq!(
        stream[stream.len() - 48..],
        octets(
            "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
             6A2CC3787889374FBEB4C81B17BA6C44"
        )
    );
}

#[test]
fn session_keys_are_those_of_rfc_3711_b_3() {
    let derivation =
        Derivation::new(&octets("E1F97A0D3E018BE0D64FA32C06DE4139"), &octets("0EC675AD498AFEEBB6960B3AABE6"))
            .unwrap();
    let key: [u8; 16] = derivation.derive(Part::Media, Label::Encryption).unwrap();
    assert_eq!(key.to_vec(), octets("C61E7A93744F39EE10734AFE3FF7A087"));
    let salt: [u8; 14] = derivation.derive(Part::Media, Label::Salt).unwrap();
    assert_eq!(salt.to_vec(), octets("30CBBC08863D8C85D49DB34A9AE1"));
    let authentication: [u8; 94] = derivation.derive(Part::Media, Label::Authentication).unwrap();
    assert_eq!(
        authentication.to_vec(),
        octets(
            "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
             E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
             6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2"
        )
    );
}

#[test]
fn session_keys_of_256_bits_are_those_of_rfc_6188_7() {
    let derivation = Derivation::new(
        &octets("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
        &octets("3b04803de51ee7c96423ab5b78d2"),
    )
    .unwrap();
    let key: [u8; 32] = derivation.derive(Part::Media, Label::Encryption).unwrap();
    assert_eq!(key.to_vec(), octets("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
    let salt: [u8; 14] = derivation.derive(Part::Media, Label::Salt).unwrap();
    assert_eq!(salt.to_vec(), octets("fa31791685ca444a9e07c6c64e93"));
}

/// The session keys of RFC 7714 §16, §17.
fn session(suite: Suite) -> Session {
    let key: Vec<u8> = (0..suite.key_length()).map(|octet| octet as u8).collect();
    let salt = *b"Quid pro quo";
    Session { media: Cipher::galois(&key, salt).unwrap(), control: Cipher::galois(&key, salt).unwrap() }
}

const GALOIS: [(Suite, &str, &str); 2] = [
    (
        Suite::AeadAes128Gcm,
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
         36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
         86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    ),
    (
        Suite::AeadAes256Gcm,
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
         1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658
         c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
    ),
];

#[test]
fn packets_of_sound_are_those_of_rfc_7714_16() {
    let plain = octets(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465
         73207472 6573",
    );
    for (suite, expected, _) in GALOIS {
        let mut sender = Sender::with_session(suite, session(suite), (0, 0));
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + OVERHEAD, 0);
        let length = sender.protect(&mut buffer, plain.len()).unwrap();
        assert_eq!(buffer[..length], octets(expected), "{suite:?}");
        let mut receiver = Receiver::with_session(suite, session(suite));
        let opened = receiver.unprotect(&mut buffer[..length]).unwrap();
        assert_eq!(buffer[..opened], plain, "{suite:?}");
    }
}

#[test]
fn control_packets_are_those_of_rfc_7714_17() {
    let plain = octets(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef
         deadbeef deadbeef",
    );
    for (suite, _, expected) in GALOIS {
        let mut sender = Sender::with_session(suite, session(suite), (0x4d61_7273, 0x5d4));
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + OVERHEAD, 0);
        let length = sender.protect_control(&mut buffer, plain.len()).unwrap();
        assert_eq!(buffer[..length], octets(expected), "{suite:?}");
        let mut receiver = Receiver::with_session(suite, session(suite));
        let opened = receiver.unprotect_control(&mut buffer[..length]).unwrap();
        assert_eq!(buffer[..opened], plain, "{suite:?}");
    }
}

/// The master key of RFC 3711 B.3 at work. The RFC has no whole packet; these are the ones by which other
/// implementations of SRTP check themselves.
#[test]
fn packets_under_hmac_sha1_are_those_of_others() {
    let master = octets("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let expected = octets("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
    let mut plain = octets("800f1234decafbadcafebabe abababababababababababababababab");
    let length = plain.len();
    plain.resize(length + OVERHEAD, 0);
    for (suite, tag) in [(Suite::AesCm128HmacSha1_80, 10), (Suite::AesCm128HmacSha1_32, 4)] {
        let mut buffer = plain.clone();
        let protected = Sender::new(suite, &master).unwrap().protect(&mut buffer, length).unwrap();
        assert_eq!(buffer[..protected], expected[..length + tag], "{suite:?}");
    }
    let mut control =
        octets("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
    let mut receiver = Receiver::new(Suite::AesCm128HmacSha1_32, &master).unwrap();
    let opened = receiver.unprotect_control(&mut control).unwrap();
    assert_eq!(control[..opened], octets("81c8000bcafebabe abababababababababababababababab"));
}
