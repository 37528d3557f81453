//! Promises about pages of listings: which are read, and which are none.

use proptest::prelude::*;

use super::page::{Page, Slot};
use super::pattern::Kind;

const S3: &str = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3/\"><Name>b</Name>\
    <IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;2</NextContinuationToken>\
    <Contents><Key>m//a&lt;&#27;&#x41;</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
    <ETag>&quot;e&quot;</ETag><Size>4</Size></Contents>\
    <Contents><Key>m/../d</Key><Size>0</Size></Contents>\
    <CommonPrefixes><Prefix>m/x/</Prefix></CommonPrefixes></ListBucketResult>\n";
const AZURE: &str = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults ContainerName=\"c\"><Blobs>\
    <Blob><Name Encoded=\"true\">a%01%C3%A9</Name><Properties><Content-Length>7</Content-Length>\
    <Etag>0x1</Etag></Properties></Blob>\
    <Blob><Name>d</Name><Properties><Content-Length>0</Content-Length>\
    <ResourceType>directory</ResourceType></Properties></Blob>\
    <BlobPrefix><Name>p/</Name></BlobPrefix></Blobs><NextMarker/></EnumerationResults>";

#[test]
fn any_key_is_read_as_it_stands() {
    let page = Page::read(Kind::S3, S3.as_bytes()).unwrap();
    let keys: Vec<_> = page.objects.iter().map(|o| (o.key.as_str(), o.meta.size)).collect();
    assert_eq!(keys, [("m//a<\u{1b}A", 4), ("m/../d", 0)]);
    assert_eq!(page.objects[0].meta.e_tag.as_deref(), Some("\"e\""));
    assert!(page.objects[0].meta.last_modified.timestamp() > 0);
    assert_eq!(page.next.as_deref(), Some("t&2"));
    let page = Page::read(Kind::Azure, AZURE.as_bytes()).unwrap();
    let keys: Vec<_> = page.objects.iter().map(|o| (o.key.as_str(), o.meta.size)).collect();
    assert_eq!((keys, page.next), (vec![("a\u{1}é", 7)], None));
}

#[test]
fn a_page_that_breaks_off_anywhere_is_none() {
    for (kind, text) in [(Kind::S3, S3), (Kind::Azure, AZURE)] {
        let text = text.trim_end();
        for end in 0..text.len() {
            let part = &text.as_bytes()[..end];
            assert!(Page::read(kind, part).is_err(), "{}", String::from_utf8_lossy(part));
        }
    }
}

#[test]
fn a_page_of_another_prefix_is_none() {
    let page = |prefix: &str, key: &str| {
        format!(
            "<ListBucketResult><Prefix>{prefix}</Prefix><Contents><Key>{key}</Key>\
             <Size>1</Size></Contents></ListBucketResult>"
        )
    };
    let slot = Slot::new(Kind::S3, "logs/", None, false);
    assert!(slot.put(page("logs/", "logs/a").as_bytes()).is_ok());
    assert!(slot.put(page("", "logs/a").as_bytes()).is_ok());
    assert!(slot.put(page("", "zzz/a").as_bytes()).is_err());
    assert!(slot.put(page("zzz/", "logs/a").as_bytes()).is_err());
    assert!(slot.put(page("logs/a", "logs/a").as_bytes()).is_err(), "other objects are missing");
    assert!(slot.put(page("log", "logs/a").as_bytes()).is_err());
    assert_eq!(slot.take().map(|page| page.objects.len()), Some(1));
}

#[test]
fn a_page_of_another_bucket_is_none() {
    let s3 = |name: &str| {
        format!("<ListBucketResult>{name}<IsTruncated>false</IsTruncated></ListBucketResult>")
    };
    let azure = |name: &str| {
        format!("<EnumerationResults {name}><Blobs></Blobs><NextMarker/></EnumerationResults>")
    };
    for (kind, body, right) in [
        (Kind::S3, s3("<Name>logs</Name>"), true),
        (Kind::Gcs, s3("<Name>logs</Name>"), true),
        (Kind::S3, s3(""), true),
        (Kind::S3, s3("<Name></Name>"), true),
        (Kind::S3, s3("<Name>other</Name>"), false),
        (Kind::Gcs, s3("<Name>logs2</Name>"), false),
        (Kind::S3, s3("<Name>logs</Name><Name>logs</Name>"), false),
        (Kind::Azure, azure("ContainerName=\"logs\""), true),
        (Kind::Azure, azure("ContainerName=\"https://a.blob.core.windows.net/logs\""), true),
        (Kind::Azure, azure("ServiceEndpoint=\"https://a/\""), true),
        (Kind::Azure, azure("ContainerName=\"other\""), false),
        (Kind::Azure, azure("ContainerName=\"&#x6c;o&#103;s\""), true),
        (Kind::Azure, azure("ContainerName=\"https:&#47;&#47;a&#47;logs&#x2F;\""), true),
        (Kind::Azure, azure("ContainerName=\"logs&amp;\""), false),
    ] {
        let put = |bucket| Slot::new(kind, "", None, false).of_bucket(bucket).put(body.as_bytes());
        assert_eq!(put(Some("logs")).is_ok(), right, "{kind:?} {body}");
        assert_eq!(put(None).is_ok(), !body.contains("</Name><Name>"), "{kind:?} {body}");
    }
}

#[test]
fn escapes_in_attributes_are_decoded() {
    let page = |root: &str, name: &str| {
        format!(
            "<EnumerationResults{root}><Blobs><Blob><Name{name}>a%41</Name><Properties>\
             <Content-Length>1</Content-Length></Properties></Blob></Blobs><NextMarker/>\
             </EnumerationResults>"
        )
    };
    for (name, key) in [(" Encoded=\"tr&#117;e\"", "aA"), (" Encoded=\"false\"", "a%41")] {
        let page = Page::read(Kind::Azure, page("", name).as_bytes()).unwrap();
        assert_eq!(page.objects[0].key, key);
    }
    for root in [" ContainerName=\"&nothing;\"", " ContainerName=\"&#0;\"", " x=\"1\" x=\"2\""] {
        assert!(Page::read(Kind::Azure, page(root, "").as_bytes()).is_err(), "{root}");
    }
}

#[test]
fn a_page_that_says_it_is_another_one_is_none() {
    let s3 = |says: &str| {
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{says}</ListBucketResult>")
    };
    let azure = |says: &str| {
        format!("<EnumerationResults>{says}<Blobs></Blobs><NextMarker/></EnumerationResults>")
    };
    let token = |told: &str| s3(&format!("<ContinuationToken>{told}</ContinuationToken>"));
    let marker = |told: &str| azure(&format!("<Marker>{told}</Marker>"));
    let after = |told: &str| s3(&format!("<StartAfter>{told}</StartAfter>"));
    let cases = [
        (Kind::S3, Some("t1"), token("t1"), true),
        (Kind::S3, Some("t1"), token("t2"), false),
        (Kind::S3, Some("t1"), token(""), false),
        (Kind::Gcs, Some("t1"), token(""), false),
        (Kind::S3, Some("t1"), s3(""), true),
        (Kind::S3, None, token(""), true),
        (Kind::Azure, Some("t1"), marker(""), true),
        (Kind::S3, None, token("t1"), false),
        (Kind::S3, None, after(""), true),
        (Kind::S3, None, after("zzz"), false),
        (Kind::Azure, Some("t1"), marker("t1"), true),
        (Kind::Azure, Some("t1"), marker("t2"), false),
    ];
    for (kind, asked, body, right) in cases {
        let slot = Slot::new(kind, "", asked, false);
        assert_eq!(slot.put(body.as_bytes()).is_ok(), right, "{asked:?} {body}");
    }
}

#[test]
fn folders_are_read_only_where_one_level_was_asked_for() {
    let s3 = "<ListBucketResult><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>\
              </ListBucketResult>";
    let azure = "<EnumerationResults><Blobs><BlobPrefix><Name>d/</Name></BlobPrefix></Blobs>\
                 <NextMarker/></EnumerationResults>";
    for (kind, body) in [(Kind::S3, s3), (Kind::Gcs, s3), (Kind::Azure, azure)] {
        let put = |level| Slot::new(kind, "", None, level).put(body.as_bytes());
        assert!(put(true).is_ok());
        assert!(put(false).unwrap_err().to_string().contains("d/"));
    }
}

#[test]
fn text_outside_of_the_root_is_no_page_however_it_is_spelled() {
    for behind in ["ab", "&#97;&#98;", "&amp;", "<![CDATA[ab]]>"] {
        let body = format!("<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>{behind}");
        assert!(Page::read(Kind::S3, body.as_bytes()).is_err(), "{behind}");
    }
}

#[test]
fn elements_inside_of_each_other_without_end_are_no_page() {
    let body = format!("<ListBucketResult>{}", "<a>".repeat(300_000));
    let error = Page::read(Kind::S3, body.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("a/a"), "{error}");
}

#[test]
fn an_element_that_changes_which_objects_a_page_names_stands_where_it_has_to() {
    let object = "<Contents><Key>b</Key><Size>1</Size></Contents>";
    let s3 = |more: &str| {
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{more}</ListBucketResult>")
    };
    let blob =
        "<Blob><Name>b</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>";
    let azure = |more: &str| {
        format!("<EnumerationResults><Blobs></Blobs><NextMarker/>{more}</EnumerationResults>")
    };
    for (kind, body) in [
        (Kind::S3, s3(&format!("<Page>{object}</Page>"))),
        (Kind::Gcs, s3(&format!("<Page><More>{object}</More></Page>"))),
        (Kind::S3, s3("<contents><Key>b</Key><Size>1</Size></contents>")),
        (Kind::S3, s3("<contents/>")),
        (Kind::S3, s3("<Contents><key>b</key><Key>a</Key><Size>1</Size></Contents>")),
        (Kind::S3, s3("<Contents><Key>a</Key><Size>1</Size><size>2</size></Contents>")),
        (Kind::S3, s3(&format!("<Contents><Key>a</Key><Size>1</Size>{object}</Contents>"))),
        (Kind::S3, s3("<Q><IsTruncated>true</IsTruncated></Q>")),
        (
            Kind::S3,
            s3("<Contents><Key>a</Key><Size>1</Size><IsTruncated>true</IsTruncated></Contents>"),
        ),
        (Kind::S3, s3("<isTruncated>true</isTruncated>")),
        (Kind::S3, s3("<Nextcontinuationtoken>t</Nextcontinuationtoken>")),
        (Kind::S3, s3("<Key>b</Key>")),
        (Kind::S3, s3("<Version><Key>b</Key><Size>1</Size></Version>")),
        (Kind::S3, s3("<DeleteMarker><VersionId>1</VersionId></DeleteMarker>")),
        (Kind::S3, s3("<commonprefixes><Prefix>d/</Prefix></commonprefixes>")),
        (Kind::Azure, azure(blob)),
        (Kind::Azure, azure(&format!("<Page>{blob}</Page>"))),
        (Kind::Azure, azure("<nextMarker>t</nextMarker>")),
        (Kind::Azure, azure("").replace("<Blobs>", &format!("<Blobs><Group>{blob}</Group>"))),
        (Kind::Azure, azure("").replace("<Blobs>", "<Blobs><blob><Name>b</Name></blob>")),
    ] {
        let error = Page::read(kind, body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("has an element that no listing has there"), "{body}: {error}");
    }
    // Fields of stores' own, and of users, change nothing.
    for (kind, body) in [
        (Kind::S3, s3("<RequestCharged>requester</RequestCharged><Delimiter/>")),
        (
            Kind::S3,
            s3(
                "<Contents><Key>a</Key><Size>1</Size><Type>Normal</Type><StorageClass>X</StorageClass>\
             <Owner><ID>1</ID><DisplayName>size</DisplayName></Owner><Generation>1</Generation>\
             <ChecksumAlgorithm>CRC32</ChecksumAlgorithm></Contents>",
            ),
        ),
        (
            Kind::Azure,
            azure("<MaxResults>5</MaxResults>").replace(
                "<Blobs>",
                "<Blobs><Blob><Name>a</Name><Properties><Content-Length>1</Content-Length>\
             <BlobType>BlockBlob</BlobType></Properties><Metadata><name>n</name><Key>k</Key>\
             </Metadata><Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>\
             <OrMetadata/><VersionId>1</VersionId></Blob>",
            ),
        ),
    ] {
        let page = Page::read(kind, body.as_bytes());
        assert!(page.is_ok(), "{body}: {page:?}");
    }
}

#[test]
fn a_full_page_that_says_nothing_of_more_is_none() {
    let page = |most: u8| {
        format!(
            "<ListBucketResult><MaxKeys>{most}</MaxKeys><Contents><Key>a</Key><Size>1</Size>\
             </Contents></ListBucketResult>"
        )
    };
    assert!(Page::read(Kind::S3, page(1).as_bytes()).is_err());
    assert!(Page::read(Kind::S3, page(2).as_bytes()).is_ok());
}

#[test]
fn a_page_in_another_encoding_is_none() {
    let page = |declared: &str| format!("<?xml version=\"1.0\"{declared}?>{}", &S3[21..]);
    for declared in ["", " encoding=\"UTF-8\"", " encoding='utf-8'", " encoding=\"US-ASCII\""] {
        assert!(Page::read(Kind::S3, page(declared).as_bytes()).is_ok(), "{declared}");
    }
    for declared in ["UTF-16", "ISO-8859-1", "utf-7", "windows-1252", ""] {
        let page = page(&format!(" encoding=\"{declared}\""));
        let error = Page::read(Kind::S3, page.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(declared) && error.contains("UTF-8"), "{declared}: {error}");
    }
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] {
        let wide = S3.encode_utf16().map(|unit| match mark[0] {
            0xff => unit.to_le_bytes(),
            _ => unit.to_be_bytes(),
        });
        let wide: Vec<u8> = wide.flatten().collect();
        assert!(Page::read(Kind::S3, &wide).is_err());
        assert!(Page::read(Kind::S3, &[&mark[..], &wide].concat()).is_err());
    }
}

#[test]
fn a_second_page_behind_the_first_is_named_as_such() {
    let body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".repeat(2);
    let error = Page::read(Kind::S3, body.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the answer to a listing goes on behind its end");
}

#[test]
fn a_document_of_another_kind_is_no_page() {
    for body in [
        "<html><body>gateway</body></html>",
        "<Error><Code>SlowDown</Code></Error>",
        "<EnumerationResults><Blobs/></EnumerationResults>",
        "{}",
        "",
        "<ListBucketResult/><ListBucketResult/>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult></Contents></ListBucketResult>",
        "<ListBucketResult>&unknown;</ListBucketResult>",
        "<ListBucketResult><IsTruncated/></ListBucketResult>",
        "<ListBucketResult><IsTruncated>yes</IsTruncated></ListBucketResult>",
        "<ListBucketResult><IsTruncated>True</IsTruncated></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><IsTruncated>false</IsTruncated>\
         </ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>\
         </ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><Size>2</Size></Contents>\
         </ListBucketResult>",
        "<ListBucketResult><KeyCount>2</KeyCount><Contents><Key>a</Key><Size>1</Size>\
         </Contents></ListBucketResult>",
        "<ListBucketResult><Error><Code>InternalError</Code></Error></ListBucketResult>",
        "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>\nupstream closed",
        "upstream <ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
        "<ListBucketResult/>",
        "<ListBucketResult><contents><key>a</key><size>1</size></contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>x<b/>a</Key><Size>1</Size></Contents>\
         </ListBucketResult>",
        "<ListBucketResult><Contents><Key><b/>a</Key><Size>1</Size></Contents>\
         </ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>+1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>\
         </ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>e&#10;x</ETag></Contents>\
         </ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>e&#1;</ETag></Contents>\
         </ListBucketResult>",
    ] {
        assert!(Page::read(Kind::S3, body.as_bytes()).is_err(), "{body}");
    }
    // Some servers say that a page is empty by its count alone.
    let empty = "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>";
    assert!(Page::read(Kind::S3, empty.as_bytes()).is_ok_and(|page| page.objects.is_empty()));
    for body in [
        "<EnumerationResults/>",
        "<EnumerationResults><Blobs/></EnumerationResults>",
        "<EnumerationResults><NextMarker/></EnumerationResults>",
    ] {
        assert!(Page::read(Kind::Azure, body.as_bytes()).is_err(), "{body}");
    }
    let long = "k".repeat(70_000);
    for body in [
        format!("<Contents><Key>{long}</Key><Size>1</Size></Contents>"),
        format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{long}</NextContinuationToken>"
        ),
    ] {
        let body = format!("<ListBucketResult>{body}</ListBucketResult>");
        assert!(Page::read(Kind::S3, body.as_bytes()).is_err());
    }
    assert!(Page::read(Kind::S3, b"<ListBucketResult>\xff</ListBucketResult>").is_err());
}

proptest! {
    #[test]
    fn whatever_a_server_sends_is_a_page_or_none(
        body in prop::collection::vec(prop_oneof![
            Just("<ListBucketResult>"), Just("</ListBucketResult>"), Just("<Contents>"),
            Just("</Contents>"), Just("<Key>k</Key>"), Just("<Size>1</Size>"), Just("&#0;"),
            Just("&amp;"), Just("<"), Just("]]>"), Just("<![CDATA["), Just("text"),
        ], 0..12)
    ) {
        let _ = Page::read(Kind::S3, body.concat().as_bytes());
    }
}
