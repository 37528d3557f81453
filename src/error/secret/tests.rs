//! Promises about secrets in texts that are shown.

use proptest::prelude::*;

use super::*;

#[test]
fn urls_are_shown_without_logins_and_queries_however_they_are_spelled() {
    for (given, shown) in [
        ("https://u:S3CRET@h:8080/x?sig=S3CRET#S3CRET", "https://h:8080/x"),
        ("HTTPS://h/x?S3CRET", "HTTPS://h/x"),
        ("http://S3CRET@h", "http://h"),
        ("http://h?S3CRET", "http://h"),
        ("http://u:S3/CRET@h/x", "http://h/x"),
        ("http://h:8080/a@b", "http://h:8080/a@b"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("ftp://u:S3CRET@h/x?S3CRET", "ftp://h/x"),
        ("file://u:S3CRET@h/x", "file://h/x"),
        ("s3://AKIA:S3CRET@b/x", "s3://b/x"),
        ("s3://AKIA:S3/CRE+T@b/x", "s3://b/x"),
        ("s3://S3CRET@b/x", "s3://b/x"),
        ("s3://AKIA:S3CRET", "s3://AKIA"),
        ("s3://b/x?Signature=S3CRET", "s3://b/x"),
        ("s3://b/x?/y=????/*?.gz", "s3://b/x?/y=????/*?.gz"),
        (
            "s3://arn:aws:s3:us-west-2:1:accesspoint/p/x",
            "s3://arn:aws:s3:us-west-2:1:accesspoint/p/x",
        ),
        ("az://c/x?sv=1&sig=S3CRET", "az://c/x"),
        (
            "abfss://box@account.dfs.core.windows.net/x",
            "abfss://box@account.dfs.core.windows.net/x",
        ),
        ("abfss://u:S3CRET@h/x", "abfss://h/x"),
        ("https:/h/x?sig=S3CRET", "https:/h/x"),
        ("https:h/x?S3CRET", "https:h/x"),
        (" https://h/x?S3CRET", " https://h/x"),
        ("h/x?a=1&X-Amz-Signature=S3CRET", "h/x?a=1&X-Amz-Signature=***"),
        ("C:\\logs\\a=b.txt", "C:\\logs\\a=b.txt"),
        ("dt=2024-01-01/a.log", "dt=2024-01-01/a.log"),
        ("page.html?id=3", "page.html?id=3"),
        ("http://h/y,http://u:S3CRET@h/x", "http://h/y,http://h/x"),
        ("{http://h/y,http://u:S3CRET@h/x}", "{http://h/y,http://h/x}"),
        ("http://h,https://u:S3CRET@h/x", "http://h,https://h/x"),
        ("http://h/a;https://u:S3CRET@h/b?S3CRET", "http://h/a;https://h/b"),
        ("http://h/redirect=https://u:S3CRET@h/b", "http://h/redirect=https://h/b"),
        ("s3://b/x,s3://u:S3CRET@b/y,az://u:S3CRET@c/z", "s3://b/x,s3://b/y,az://c/z"),
        ("://://://", "://://://"),
        ("s3://b/user_key=5/x", "s3://b/user_key=5/x"),
        ("http://h/x%3Fsig=S3CRET", "http://h/x%3Fsig=***"),
        ("//u:S3CRET@h/x", "//h/x"),
        ("//h/x?sig=S3CRET", "//h/x"),
        ("//tmp/a?.log", "//tmp/a?.log"),
        ("s3//AKIA:S3CRET@b/x", "s3//b/x"),
        ("--s3:AKIA:S3CRET@b/x", "--s3:b/x"),
        ("abfss://S3CRET@h@x/y", "abfss://x/y"),
        ("a/10:30@home/x", "a/10:30@home/x"),
        ("user_key=5/x", "user_key=5/x"),
        ("h/x?a=1&x-functions-key=S3CRET", "h/x?a=1&x-functions-key=***"),
        ("10:30?.log", "10:30?.log"),
        ("h/x?key=S3CRET9", "h/x?key=***"),
        ("h/x#access_token=S3CRET", "h/x#access_token=***"),
        ("--password=S3CRET", "--password=***"),
        ("AccountKey=S3CRET;AccountName=a", "AccountKey=***;AccountName=a"),
        ("x/AccountName=a;AccountKey=S3CRET", "x/AccountName=a;AccountKey=***"),
    ] {
        assert_eq!(concealed_url(given), shown);
    }
}

#[test]
fn texts_are_shown_without_the_secrets_of_urls_in_them() {
    for (said, shown) in [
        ("GET (https://h/x?sig=S3CRET): refused", "GET (https://h/x refused"),
        (
            "'HTTPS://u:S3CRET@h/x' and \"s3://b/k?AWSAccessKeyId=S3CRET\".",
            "'HTTPS://h/x' and \"s3://b/k\".",
        ),
        ("é://x?S3CRET é", "é://x é"),
        ("sent token=S3CRET, then Password=S3CRET", "sent token=***, then Password=***"),
        ("a = b, c=d", "a = b, c=d"),
        ("AWS4 Credential=S3CRET/x, Signature=S3CRET", "AWS4 Credential=***, Signature=***"),
        ("Authorization: Bearer S3CRET, x", "Authorization: Bearer ***, x"),
        ("authorization=bearer  S3CRET", "authorization=bearer  ***"),
        ("Authorization: SharedKey a:S3CRET", "Authorization: SharedKey ***"),
        ("Authorization: SharedKey a:mS3CRET/a+b=", "Authorization: SharedKey ***"),
        ("authorization=SharedKeyLite a:S3CRET==", "authorization=SharedKeyLite ***"),
        ("Authorization: AWS AKIAX:S3CRET=", "Authorization: AWS ***"),
        ("Proxy-Authorization: Basic S3CRET==", "Proxy-Authorization: Basic ***"),
        ("Authorization: Negotiate S3CRET==", "Authorization: Negotiate ***"),
        ("authorization: S3CRET", "authorization: ***"),
        ("x-amz-security-token: S3CRET.", "x-amz-security-token: ***"),
        ("aws_secret_access_key = S3CRET end", "aws_secret_access_key = *** end"),
        (
            "{\"secret_access_key\": \"S3C RET\", \"a\": 1}",
            "{\"secret_access_key\": \"***\", \"a\": 1}",
        ),
        ("{'token':'S3CRET'}", "{'token':'***'}"),
        ("<SessionToken>S3C RET</SessionToken>", "<SessionToken>***</SessionToken>"),
        ("Set-Cookie: S3CRET", "Set-Cookie: ***"),
        (
            "no credentials: looked at a key: it is short",
            "no credentials: looked at a key: it is short",
        ),
        ("unexpected token: a -> b > c", "unexpected token: a -> b > c"),
        ("a basic word", "a basic word"),
        ("sent Bearer S3CRET", "sent Bearer ***"),
        ("Proxy-Authorization: Basic S3CRET", "Proxy-Authorization: Basic ***"),
        ("://", "://"),
    ] {
        assert_eq!(concealed(said), shown);
    }
}

#[test]
fn parsers_are_quoted_without_what_they_found() {
    for (said, shown) in [
        (
            "invalid type: string \"S3CRET\", expected struct at line 1 column 9",
            "invalid type: string ..., expected struct at line 1 column 9",
        ),
        ("unknown variant `S3CRET`, expected `a`", "unknown variant ..."),
        ("invalid type: string \"S3CRET", "invalid type: string ..."),
    ] {
        assert_eq!(without_quotes(said), shown);
    }
}

#[test]
fn secrets_are_hidden_however_they_are_encoded() {
    for (given, shown) in [
        ("az://c/x%3Fsig%3DS3CRET", "az://c/x%3Fsig%3D***"),
        ("az://c/x?sig[]=S3CRET", "az://c/x?sig[]=***"),
        ("az://c/x?sig%5B0%5D=S3CRET", "az://c/x"),
        ("az://c/x%3Fsig%5B0%5D=S3CRET", "az://c/x%3Fsig%5B0%5D=***"),
        ("az://c/x?\"sig\"=S3CRET", "az://c/x?\"sig\"=***"),
        ("az://c/x?sig%3DS3CRET", "az://c/x?sig%3D***"),
        ("s3://b/x%3fs%69g%253DS3CRET", "s3://b/x%3fs%69g%253D***"),
        ("http://h/x;jsessionid=S3CRET", "http://h/x;jsessionid=***"),
        ("http://h/x;jsessionid=S3CRET/y", "http://h/x;jsessionid=***"),
        ("http://u%3AS3CRET%40h/x", "http://***%40h/x"),
        ("http://[S3CRET", "http://"),
        ("http://[S3CRET]/x", "http:///x"),
        ("http://[fe80::1%25eth0]:80/x", "http://[fe80::1%25eth0]:80/x"),
        ("u:S3CRET9@h/x", "u:***@h/x"),
        ("u:hunter@h:/x", "u:***@h:/x"),
        ("/u:S3CRET9@h", "/u:***@h"),
        ("a/10:30@home/x", "a/10:30@home/x"),
        ("10:30@home/x", "10:30@home/x"),
        ("logs/host:8080@rack1/x", "logs/host:8080@rack1/x"),
        ("s3://b/100%/a%20b/%C3%A9", "s3://b/100%/a%20b/%C3%A9"),
        ("s3://b/session_id=5/key=5/x", "s3://b/session_id=5/key=5/x"),
    ] {
        assert_eq!(concealed_url(given), shown, "{given}");
    }
    for (said, shown) in [
        ("sig%3DS3CRET is bad", "sig%3D*** is bad"),
        ("s%69g=S3CRET.", "s%69g=***"),
        ("https%3A%2F%2Fh%2Fx%3Fsv%3D1%26sig%3DS3CRET", "https%3A%2F%2Fh%2Fx%3F***"),
        ("https%3A%2F%2Fh%2Fx%3FS3CRET", "https%3A%2F%2Fh%2Fx%3F***"),
        ("a?x=1\\u0026sig\\u003dS3CRET", "a?x=1\\u0026sig\\u003d***"),
        ("a&amp;sig&#61;S3CRET", "a&amp;sig&#61;***"),
    ] {
        assert_eq!(concealed(said), shown, "{said}");
    }
}

#[test]
fn secrets_in_quotes_are_hidden_whatever_quotes_them() {
    for (said, shown) in [
        (r#"{\"access_token\":\"S3CRET\"}"#, r#"{\"access_token\":\"***\"}"#),
        (
            r#"{\\\"token\\\" : \\\"S3 CRET\\\", \"a\":1}"#,
            r#"{\\\"token\\\" : \\\"***\\\", \"a\":1}"#,
        ),
        (r#"{"password":"a\"S3CRET","b":"c"}"#, r#"{"password":"***","b":"c"}"#),
        (r#"{\"password\":\"a\\\"S3 CRET\",\"b\":1}"#, r#"{\"password\":\"***\",\"b\":1}"#),
        ("{\"secret_key\"\n:\n  \"S3CRET\"}", "{\"secret_key\"\n:\n  \"***\"}"),
        (r#"{\"secret_key\":\n  \"S3CRET\"}"#, r#"{\"secret_key\":***  \"***\"}"#),
        (r#"https:\/\/u:S3CRET@h\/x is bad"#, r#"https:\/\/***@h\/x is bad"#),
        (r#"{\"u\":\"https:\/\/h\/x?sig=S3CRET\"}"#, r#"{\"u\":\"https:\/\/h\/x"}"#),
        ("{'password': b'S3CRET'}", "{'password': ***'}"),
        ("Login { password: Some(\"S3CRET\"), a: 1 }", "Login { password: ***\"), a: 1 }"),
        ("{\"token\": [\"S3CRET\", \"S3CRET\"], \"a\": 1}", "{\"token\": ***, \"a\": 1}"),
        ("x?sig[]=S3CRET&b=1", "x?sig[]=***&b=1"),
        ("x?login[password]=S3CRET&b=1", "x?login[password]=***&b=1"),
    ] {
        assert_eq!(concealed(said), shown, "{said}");
    }
}

#[test]
fn words_that_look_like_secrets_are_hidden_behind_what_names_them() {
    for (said, shown) in [
        ("Bearer token S3CRET9 is not valid", "Bearer token *** is not valid"),
        ("The token 'S3CRET9' has expired", "The token '***' has expired"),
        ("the AWS Access Key Id you gave (S3CRET9) is", "the AWS Access Key Id you gave (***) is"),
        ("String to sign used was AKIA\\nS3CRET9", "String to sign used was ***"),
        ("jwt S3CRET9", "jwt ***"),
        ("user u password S3CRET9", "user u password ***"),
        ("password 'hunter' is wrong", "password '***' is wrong"),
        ("Signature aB3/x+S3CRET== does not match", "Signature *** does not match"),
        ("apikey S3CRET9; other x9y9z9", "apikey ***; other x9y9z9"),
        ("bad api key: S3CRET9", "bad api key: ***"),
        ("said: key=S3CRET9", "said: key=***"),
        ("said u:S3CRET9@h/x", "said u:***@h/x"),
    ] {
        assert_eq!(concealed(said), shown, "{said}");
    }
}

#[test]
fn ordinary_names_and_messages_are_shown_as_they_are() {
    for said in [
        "The request signature we calculated does not match the signature you provided. Check your \
         key and signing method.",
        "The provided token has expired. (RequestId: 4442587FB7D0A2F9)",
        "the AWS Access Key Id you provided does not exist in our records.",
        "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        "the credential should be scoped to a valid region, as us-east-1",
        "signature version AWS4-HMAC-SHA256 of 2024-01-01T00:00:00Z",
        "token expired at 2024-01-01T00:00:00Z, 1700000000 seconds",
        "unexpected token '}' at line 12 column 9",
        "s3://b/logs/part-00001.c000.gz (byte 17): changed while it was being read",
        "a key=value pair, sort key=5",
        "at 10:30@home, mail to mailto:someone9@example.com",
        "C:\\logs\\x9y9@b",
        "100% of 5 & more; a\\tb",
        "write it as http://host:3128, or unset it",
        "unknown name `frequency`; did you mean `frequencies`?",
    ] {
        assert_eq!(concealed(said), said);
    }
}

#[test]
fn names_that_look_like_parameters_are_shown_outside_of_a_query() {
    for name in [
        "sig=1.txt",
        "token=9f8e7d6c5b4a/x",
        "d/token=abc/part-0001",
        "api_key=x/part",
        "s3://b/signature=v1/x.txt",
        "gs://b/AWSAccessKeyId=1/x",
        "az://c/d?/token=abc/x",
        "a&token=1",
        "a,key=9f8e7d6c",
        "d%2Ftoken%3Dabc",
        "user:name@host.txt",
    ] {
        assert_eq!(concealed_url(name), name);
    }
    for (name, shown) in [
        // A server of the web may take any part of a path for a parameter.
        ("http://h/token=abc/x", "http://h/token=***"),
        // An address whose scheme was forgotten.
        ("admin:hunterpass@127.0.0.1:1/x", "admin:***@127.0.0.1:1/x"),
        ("ADMIN:hunterpass@example.com/x", "ADMIN:***@example.com/x"),
    ] {
        assert_eq!(concealed_url(name), shown);
    }
    // A message of ours has names in it; what looks like a secret in one may be of another kind.
    for (said, shown) in [
        ("token=abc/x: not found: sig=1.txt", "token=abc/x: not found: sig=1.txt"),
        ("d/token=9f8e7d6c/x: not found", "d/token=9f8e7d6c/x: not found"),
        ("sig=1.txt; check the name; or not", "sig=1.txt; check the name; or not"),
        ("no token=S3CRET9: not found", "no token=***: not found"),
        ("h/x?sig=abc: not found", "h/x?sig=***: not found"),
        ("AZURE_STORAGE_ACCOUNT_KEY: it is short", "AZURE_STORAGE_ACCOUNT_KEY: it is short"),
    ] {
        assert_eq!(concealed_in_ours(said), shown);
    }
    // In what others say, any may be one.
    assert_eq!(concealed("GET d/token=abc: no"), "GET d/token=***: no");
}

#[test]
fn secrets_are_hidden_whatever_blanks_stand_around_their_marks() {
    for (given, shown) in [
        ("AccountKey = S3CRET", "AccountKey = ***"),
        ("AccountKey= S3CRET", "AccountKey= ***"),
        ("AccountKey\t=\tS3CRET", "AccountKey\t=\t***"),
        ("https://h/a;AccountKey = S3CRET", "https://h/a;AccountKey = ***"),
        ("AccountName = a;AccountKey = S3CRET==;b=c", "AccountName = a;AccountKey = ***;b=c"),
        ("AccountName=a; AccountKey=S3CRET", "AccountName=a; AccountKey=***"),
        ("s3://b/x?sig = S3CRET&a=b", "s3://b/x?sig = ***&a=b"),
        ("--password = S3CRET", "--password = ***"),
        ("a;AccountKey%20=%20S3CRET", "a;AccountKey%20=%20***"),
        // Of a folder or a file in which there is a blank.
        ("sort key = 5/x", "sort key = 5/x"),
        ("token=a b/x", "token=a b/x"),
        ("a; b=c.txt", "a; b=c.txt"),
    ] {
        assert_eq!(concealed_url(given), shown);
    }
    for (said, shown) in [
        ("GET http://h/x?sig = S3CRET is bad", "GET http://h/x = *** is bad"),
        ("GET http://h/x?a=b&sig= S3CRET is bad", "GET http://h/x *** is bad"),
        ("GET http://h/x?sig = \"S3 CRET\" is bad", "GET http://h/x = \"***\" is bad"),
        ("GET http://h/x?sig = a/S3CRET//b:c== is bad", "GET http://h/x = *** is bad"),
        ("GET http://S3CRET:password=x@h/x?a = b", "GET http://h/x = b"),
        ("GET http://h/x?sig=S3CRET== is bad", "GET http://h/x is bad"),
        ("GET http://h/x? = y", "GET http://h/x = y"),
        ("AccountKey = S3CRET", "AccountKey = ***"),
    ] {
        assert_eq!(concealed(said), shown);
    }
    for (said, shown) in [
        ("https://h/a;AccountKey = S3CRET9: not found", "https://h/a;AccountKey = ***: not found"),
        ("AccountKey = S3CRET9", "AccountKey = ***"),
        ("unknown name `a` in .token == x", "unknown name `a` in .token == x"),
        ("set token = true; or not", "set token = true; or not"),
    ] {
        assert_eq!(concealed_in_ours(said), shown);
    }
}

/// A character, spelled in some way that stands for it.
fn spelled(c: char, how: u8) -> String {
    let code = u32::from(c);
    match how % 8 {
        0 => format!("%{code:02X}"),
        1 => format!("%{code:02x}"),
        2 => format!("%25{code:02x}"),
        3 => format!("\\u00{code:02x}"),
        4 => format!("&#{code};"),
        5 => format!("&#x{code:x};"),
        _ => c.to_string(),
    }
}

proptest! {
    #[test]
    fn no_spelling_of_a_secret_is_shown(
        before in "[a-z /?&]{0,6}", after in "( is bad|&x=1| |)",
        name in prop::sample::select(vec![
            "sig=", "X-Amz-Signature=", "password=", "https://h/x?sig=", "token=", "https://u:",
            "AccountKey=", "x;jsessionid=", "client_secret=",
        ]),
        secret in "[A-Za-z0-9]{0,9}S3CRETq7[A-Za-z0-9]{0,9}",
        blanks in prop::array::uniform2("[ \t]{0,2}"),
        how in prop::collection::vec(any::<u8>(), 60),
    ) {
        let host = if name.ends_with(':') { "@h/x" } else { "" };
        let [left, right] = blanks;
        let name = name.replace('=', &format!("{left}={right}"));
        let plain = format!("{name}{secret}{host}");
        // Blanks stand as they are, or as in URLs.
        let how = plain.chars().zip(&how).map(|(c, how)| match BLANKS.contains(&c) {
            true if how % 8 > 2 => (c, 7),
            _ => (c, *how),
        });
        let text: String = how.map(|(c, how)| spelled(c, how)).collect();
        let url = concealed_url(&format!("h/x?{text}"));
        for shown in [concealed(&format!("{before} {text}{after}")).into_owned(), url] {
            let last = spelled::levels(&shown).pop().map_or(shown.clone(), |last| last.text);
            prop_assert!(!last.contains("S3CRETq7"), "{} of {}", shown, text);
        }
    }

    #[test]
    fn no_quoting_of_a_secret_shows_it(
        often in 0..9_usize, percent in 0..4_usize, late in any::<bool>(),
        name in prop::sample::select(vec!["access_token", "client_secret", "password", "AccountKey"]),
        before in "[a-z \"\\\\]{0,3}", after in "[a-z \"\\\\]{0,3}",
    ) {
        let mut text = format!("{{{:?}:{:?},\"a\":1}}", name, format!("{before}S3CRETq7{after}"));
        let encode = |text: &str, often| (0..often).fold(text.to_owned(), |text, n| match n {
            0 => text.replace('%', "%25").replace('"', "%22").replace('\\', "%5C"),
            _ => text.replace('%', "%25"),
        });
        if !late {
            text = encode(&text, percent);
        }
        for _ in 0..often {
            text = format!("{text:?}");
        }
        if late {
            text = encode(&text, percent);
        }
        for shown in [concealed(&format!("said {text}")).into_owned(), concealed_url(&text)] {
            prop_assert!(!shown.contains("S3CRETq7"), "{} of {}", shown, text);
        }
    }

    #[test]
    fn names_without_marks_of_secrets_are_shown_as_they_are(
        name in "[a-zA-Z0-9_.~+*?/-]{1,30}", scheme in "(s3://b/|gs://b/|az://c/|file:///|)",
    ) {
        let given = format!("{scheme}{name}");
        prop_assert_eq!(concealed_url(&given), given);
    }

    #[test]
    fn plain_names_have_nothing_to_hide(
        scheme in "([a-z3]{0,4}:?/{0,3})?", name in "[a-z:/@?&=%#\\[\\] .;3\\\\\"'<>-]{0,12}|\\PC{0,12}",
    ) {
        let given = format!("{scheme}{name}");
        if is_plain(&given) {
            prop_assert_eq!(without_values(&url::name_without_login(&given), Reading::Name), given);
        }
    }

    #[test]
    fn any_text_is_shown(text in "[a-z:/@?&=%#\\[\\] .;3DS\\\\\"'<>-]{0,40}|\\PC{0,30}") {
        // At most a character becomes a mark that something is hidden.
        prop_assert!(concealed_url(&text).len() <= 3 * text.len());
        prop_assert!(concealed(&text).len() <= 3 * text.len());
    }
}
