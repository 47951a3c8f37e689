//! A split that the mesh makes: the routes of the proxy choose a cluster by weights, and who answered is seen afterwards.

use std::rc::Rc;

use super::{Key, Name, Route, Text, Warmup};

/// The variants of a route whose split is observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observe {
    /// The baseline at index 0, then the others in the order of the configuration.
    pub variants: Vec<ObservedVariant>,
    /// The conditions on the name of the cluster that answers, in the order of the configuration, each with an index into `variants`. The
    /// first one that holds decides.
    pub clusters: Vec<(Text, usize)>,
    /// The request header that tells the proxy's routes the bucket of a key.
    pub bucket: Option<BucketHeader>,
}

/// A model version that may answer the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedVariant {
    /// The variant's name.
    pub name: Name,
    /// The variant's first answers, which gates leave out; `None` for the baseline.
    pub warmup: Option<Warmup>,
}

/// A request header with the first four of the six digits of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketHeader {
    /// The key that is hashed.
    pub key: Key,
    /// A text that is hashed with the key.
    pub salt: String,
    /// The name of the header, in lower case.
    pub header: Rc<str>,
}

impl Route {
    /// Returns the name and the warm-up of each variant that may answer, the baseline first; nothing where neither a split is made nor one
    /// observed.
    pub fn variants(&self) -> Vec<(&Name, Option<Warmup>)> {
        let made = self.split.iter().flat_map(|split| &split.variants).map(|variant| (&variant.name, variant.warmup));
        let observed = self.observe.iter().flat_map(|observe| &observe.variants).map(|variant| (&variant.name, variant.warmup));
        made.chain(observed).collect()
    }

    /// Returns the name of the variant at this index.
    pub fn variant(&self, index: usize) -> Option<&Name> {
        self.variants().get(index).map(|(name, _)| *name)
    }

    /// Whether it depends on the cluster of a request, which the host names with its headers, whether the request is copied. (Once the filter
    /// has set a header, the host chooses anew, and that name is out of date.)
    pub fn copies_by_cluster(&self) -> bool {
        !self.shadows.is_empty() && self.observe.as_ref().is_some_and(|observe| observe.bucket.is_none())
    }
}
