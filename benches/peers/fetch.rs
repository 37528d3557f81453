//! Fetches all objects below a prefix and throws their bytes away: what the stores' client can do
//! with nothing around it.
//!
//! `fetch URL RANGE CONCURRENCY`: in ranges of so many bytes, so many at a time; a range of 0 is
//! one GET an object. Endpoint and credentials come from the environment, as creel's do. Objects
//! are asked for while the listing goes on. Bodies are streamed: collecting a range into one
//! piece of memory would cost a copy.

use std::error::Error;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3Builder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};

fn open(bucket: &str, scheme: &str) -> object_store::Result<Arc<dyn ObjectStore>> {
    Ok(match scheme {
        "gs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).build()?),
        _ => Arc::new(AmazonS3Builder::from_env().with_bucket_name(bucket).build()?),
    })
}

/// The ranges of one object.
fn cut(object: ObjectMeta, range: u64) -> impl Iterator<Item = (Path, Option<GetRange>)> {
    let step = if range == 0 { object.size.max(1) } else { range };
    (0..object.size).step_by(step as usize).map(move |from| {
        let bounded = GetRange::Bounded(from..object.size.min(from + step));
        (object.location.clone(), (range > 0).then_some(bounded))
    })
}

async fn get(
    store: Arc<dyn ObjectStore>,
    (path, range): (Path, Option<GetRange>),
) -> object_store::Result<u64> {
    let options = GetOptions { range, ..Default::default() };
    let mut body = store.get_opts(&path, options).await?.into_stream();
    let mut read = 0;
    while let Some(chunk) = body.next().await {
        read += chunk?.len() as u64;
    }
    Ok(read)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [url, range, concurrency] = &args[..] else { return Err("URL RANGE CONCURRENCY".into()) };
    let (range, concurrency) = (range.parse()?, concurrency.parse()?);
    let (scheme, rest) = url.split_once("://").ok_or("a URL has a scheme")?;
    let (bucket, prefix) = rest.split_once('/').ok_or("a URL has a bucket and a prefix")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = open(bucket, scheme)?;
    let listed = store.list(Some(&Path::from(prefix)));
    let ranges = listed.map_ok(|object| stream::iter(cut(object, range).map(Ok))).try_flatten();
    // Each a task, so that both threads of the runtime receive.
    let got = ranges.map_ok(|asked| {
        let task = tokio::spawn(get(Arc::clone(&store), asked));
        async { task.await.expect("a task that does not panic") }
    });
    let read: u64 = got
        .try_buffer_unordered(concurrency)
        .try_fold(0, |sum, read| async move { Ok(sum + read) })
        .await?;
    println!("{read}");
    Ok(())
}
