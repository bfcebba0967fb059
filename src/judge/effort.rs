//! How much is to be weighed against each other. Of what is in one circle each workload is weighed against each object, which
//! takes time with the product of their numbers: what would take more than a time linear in the size is refused.

use super::near::Scope;
use crate::options::Options;
use crate::order::Order;
use crate::stage::Stage;

/// How many pairs of a workload and an object there may be, beside what the size allows: seconds.
const LEAST: usize = 100_000_000;

/// How many more for each byte: a thousand releases as the chart renders them fit into one circle.
const EACH: usize = 4;

/// How many pairs of a workload of Milvus and an object are to be looked at, once for each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort(usize);

impl Effort {
    /// What it takes to judge a release.
    pub(super) fn of(scope: &Scope, options: &Options) -> Effort {
        let deployed = scope.deployed.map_or(0, |release| release.components.len());
        let workloads = scope.release.components.len().max(deployed);
        let objects = scope.target.objects.len() + scope.current.map_or(0, |stream| stream.objects.len());
        Effort::new(workloads, objects, options)
    }

    /// What it takes to judge a release of some workloads beside some objects.
    pub(crate) fn new(workloads: usize, objects: usize, options: &Options) -> Effort {
        // Measured: for a stage all objects are looked at again for each stage before it, once for the release.
        let (each, more) = match (options.stage, options.order) {
            (Stage::All, Order::Unsaid) => (1, 0),
            (Stage::All, Order::ArgoCd) => (2, 25),
            _ => (2, 75),
        };
        Effort(
            workloads
                .saturating_mul(each)
                .saturating_add(more)
                .saturating_mul(objects),
        )
    }

    /// Both together.
    pub(crate) fn and(self, other: Effort) -> Effort {
        Effort(self.0.saturating_add(other.0))
    }

    /// The pairs and how many inputs of so many bytes may ask for, where there are more.
    pub(crate) fn beyond(self, bytes: usize) -> Option<(usize, usize)> {
        let allowed = LEAST.saturating_add(bytes.saturating_mul(EACH));
        (self.0 > allowed).then_some((self.0, allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_size_allows_is_beyond() {
        let plain = Options::default();
        let effort = |workloads, objects, options| Effort::new(workloads, objects, options);
        assert_eq!(effort(10_000, 10_000, &plain).beyond(0), None);
        let more = effort(10_000, 10_001, &plain);
        assert_eq!(more.beyond(0), Some((100_010_000, 100_000_000)));
        assert_eq!(more.beyond(2_499), Some((100_010_000, 100_009_996)));
        assert_eq!(more.beyond(2_500), None);
        let both = effort(10_000, 5_000, &plain).and(effort(10_000, 5_001, &plain));
        assert_eq!(both, more);
        for (stage, order, pairs) in [
            (Stage::All, Order::ArgoCd, 200_250_000),
            (Stage::Next, Order::Unsaid, 200_750_000),
            (Stage::At(1), Order::ArgoCd, 200_750_000),
        ] {
            let options = Options {
                stage,
                order,
                ..Options::default()
            };
            assert_eq!(Effort::new(10_000, 10_000, &options), Effort(pairs));
        }
        assert_eq!(
            effort(usize::MAX, 2, &plain)
                .and(effort(1, 1, &plain))
                .beyond(usize::MAX),
            None
        );
    }
}
