//! A plan that is decoded is the plan that was encoded, and damaged bytes are refused.

use proptest::prelude::*;

use super::*;

fn plan() -> impl Strategy<Value = Plan> {
    let program = prop::sample::select(vec!["count", "words | frequencies", "take(3)"]);
    let input = prop::sample::select(vec![InputFormat::TEXT, InputFormat::JSONL]);
    let delimiter = prop::option::of(prop::collection::vec(any::<u8>(), 0..4));
    let encoding = prop::sample::select(vec!["auto", "utf-8", "utf-16be", "latin1", "koi8-r"]);
    let policy = 0..3_usize;
    (program, input, delimiter, encoding, policy, any::<(bool, u64, u64, Option<u64>)>())
        .prop_filter_map("words are of text", |(program, input, delimiter, label, n, more)| {
            let plan = Plan::new(program, input, [format!("logs/{n}/*.gz")]).ok()?;
            let encoding = Encoding::for_label(label).unwrap_or(Encoding::Auto);
            let plan = plan
                .delimiter(delimiter.map_or(Delimiter::Line, Delimiter::Bytes))
                .encoding(encoding)
                .invalid([Invalid::Fail, Invalid::Replace, Invalid::Skip][n])
                .on_missing([Missing::Fail, Missing::Report, Missing::Skip][n])
                .compression([Compression::Auto, Compression::Xz, Compression::None][n])
                .allow_binary(more.0)
                .anonymous(more.0)
                .blocksize(more.1)
                .max_ratio(more.2);
            Some(more.3.map_or(plan.clone(), |bytes| plan.max_record(bytes)))
        })
}

proptest! {
    #[test]
    fn plans_come_back_from_their_bytes(plan in plan()) {
        let bytes = plan.to_bytes();
        let back = Plan::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&back, &plan);
        prop_assert_eq!(back.to_bytes(), bytes);
        prop_assert_eq!(back.digest(), plan.digest());
    }

    #[test]
    fn any_bytes_in_a_valid_frame_are_a_plan_or_are_refused(
        plan in plan(),
        changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut: prop::sample::Index,
    ) {
        let mut bytes = plan.encoded();
        for (at, byte) in changed {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let cut = bytes.len() - cut.index(4).min(bytes.len());
        // Whatever the digest, also one that fits.
        let digest = match postcard::take_from_bytes::<Written>(&bytes[..cut]) {
            Ok((written, _)) => Digest::of(&encoded(&written.question)),
            Err(_) => plan.digest(),
        };
        if let Ok(plan) = Plan::decoded(&bytes[..cut], digest, "bytes") {
            prop_assert_eq!(plan.digest(), digest);
        }
    }
}

#[test]
fn no_form_of_a_credential_gets_into_a_plan() {
    for source in [
        "https://user:secret@host/a",
        "s3://AKIA:secret@bucket/a",
        "https://host/a?X-Amz-Signature=secret&X-Amz-Credential=secret",
        "https://host/a?sig=secret",
        "https://host/a?token=secret",
        "az://container/a?sv=1&sig=secret",
        "{https://host/a,https://user:secret@host/b}",
        "az://container/a?sig[]=secret",
        "az://container/a?sig%5B0%5D=secret",
        "az://container/a%3Fsig%253Dsecret",
        "az://container/a?\\u0073ig=secret",
        "az://container/a?{\\\"sig\\\":\\\"secret\\\"}",
        "https:\\/\\/user:secret@host\\/a",
        "user:secret@host/a",
    ] {
        let error = Plan::new("count", InputFormat::TEXT, [source]).unwrap_err().to_string();
        assert!(error.contains("a plan holds no credential"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let compiled = Arc::new(Program::compile("count", InputFormat::TEXT).unwrap());
        let stripped =
            Plan::compiled("count".into(), compiled, InputFormat::TEXT, vec![source.into()]);
        let bytes = stripped.to_bytes();
        assert!(!bytes.windows(6).any(|bytes| bytes == b"secret"), "{source}");
        assert!(Plan::from_bytes(&bytes).is_ok(), "{source}");
    }
}

#[test]
fn whatever_the_answer_depends_on_is_in_the_digest() {
    let plan = || Plan::new("count", InputFormat::TEXT, ["a"]).unwrap();
    let same = [plan().blocksize(7), plan().max_record(9), plan().anonymous(true)];
    assert!(same.iter().all(|other| other.digest() == plan().digest()));
    let other = [
        Plan::new("count | count", InputFormat::TEXT, ["a"])
            .unwrap_or_else(|_| plan().invalid(Invalid::Skip)),
        Plan::new("count", InputFormat::JSONL, ["a"]).unwrap(),
        plan().delimiter(Delimiter::Bytes(b"\0".to_vec())),
        plan().compression(Compression::None),
        plan().encoding(Encoding::Latin1),
        plan().invalid(Invalid::Replace),
        plan().on_missing(Missing::Skip),
        plan().allow_binary(true),
    ];
    for other in other {
        assert_ne!(other.digest(), plan().digest());
        assert!(plan().question.difference(&other.question).is_some());
    }
    assert_eq!(plan().question.difference(&same[0].question), None);
}
