//! Charts from where they are published: Helm repositories over HTTP, and OCI registries.
//!
//! A source and the names of charts enter; the bytes of their archives leave, or a [`FetchError`] that says
//! which server said what. Nothing is written here, and nothing is believed: whoever calls compares the bytes
//! with what a lock pins, and unpacks them by the rules of `chart::archive`.
//!
//! [`client`] speaks HTTP within bounds; [`repository`] and [`registry`] know what to ask; [`credentials`] reads
//! what `helm` and `docker` were told.

mod client;
mod codes;
mod credentials;
mod error;
mod registry;
mod repository;

use std::time::Duration;

use tokio::task::JoinSet;

use crate::topology::{ChartName, ChartOrigin};

pub use codes::CODES;
pub use credentials::ConfigFiles;
pub use error::FetchError;

use registry::Registry;
use repository::Repository;

/// The most bytes of an archive. Istio's largest has a hundred thousand.
const MOST_ARCHIVE: usize = 32 << 20;

/// How charts are asked for.
#[derive(Debug, Clone)]
pub struct Terms {
    /// PEM certificates that are trusted beside the system's own.
    pub ca: Option<Vec<u8>>,
    /// How long all of it may take.
    pub limit: Duration,
    /// Where credentials are looked for.
    pub config: ConfigFiles,
}

/// A chart that was loaded down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Which.
    pub chart: ChartName,
    /// Its archive, as it was served.
    pub archive: Vec<u8>,
}

/// Where one chart of a source is asked for.
#[derive(Clone)]
enum Door {
    Repository(Repository),
    Registry(Registry),
}

/// Loads charts of one version down, side by side, in the order in which they were named.
pub async fn fetch(
    origin: &ChartOrigin,
    version: &str,
    charts: &[ChartName],
    terms: &Terms,
) -> Result<Vec<Fetched>, FetchError> {
    let whole = async {
        let door = match origin {
            ChartOrigin::Repository(url) => Door::Repository(Repository::open(url, terms).await?),
            ChartOrigin::Registry(url) => Door::Registry(Registry::new(url, terms)?),
        };
        let mut running = JoinSet::new();
        for (nth, &chart) in charts.iter().enumerate() {
            let (door, version) = (door.clone(), version.to_owned());
            running.spawn(async move {
                let archive = match door {
                    Door::Repository(repository) => repository.archive(chart, &version).await,
                    Door::Registry(registry) => registry.archive(chart, &version).await,
                };
                (nth, archive.map(|archive| Fetched { chart, archive }))
            });
        }
        let mut ended = running.join_all().await;
        // Of several errors the same one is told, whichever came first.
        ended.sort_unstable_by_key(|(nth, _)| *nth);
        ended.into_iter().map(|(_, fetched)| fetched).collect()
    };
    let late = || FetchError::Late { origin: origin.to_string(), limit: terms.limit };
    tokio::time::timeout(terms.limit, whole).await.unwrap_or_else(|_| Err(late()))
}
