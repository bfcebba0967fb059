//! Where one effective configuration leads: the queue and the stores, each resolved once.

use std::sync::Arc;

use foldhash::HashMap;

use super::config::{Config, Unknown};
use super::queue::{self, Mq, Queue};
use super::store::{self, Stores};

/// What the configuration of a component resolves to.
#[derive(Debug)]
pub struct Resolved {
    /// The queue's type.
    pub mq: Result<Mq, Box<Unknown>>,
    /// The queue with its broker.
    pub queue: Result<Queue, Box<Unknown>>,
    /// The stores.
    pub stores: Result<Stores, Box<Unknown>>,
    /// The queue as far as it can be seen, whatever may override it ([`queue::visible`]).
    pub seen_queue: Option<Queue>,
    /// The stores as far as they can be seen ([`store::visible`]).
    pub seen_stores: Option<Stores>,
}

impl Resolved {
    /// Resolves each configuration of a release; those that say the same share what they lead to. `line` is the
    /// release line that resolves defaults.
    #[must_use]
    pub fn all(configs: &[Config], line: (u64, u64), standalone: bool) -> Vec<Arc<Resolved>> {
        let mut known: HashMap<u64, Vec<usize>> = HashMap::default();
        let mut all: Vec<Arc<Resolved>> = Vec::with_capacity(configs.len());
        for (i, config) in configs.iter().enumerate() {
            let alike = known.entry(config.likeness()).or_default();
            let same = alike.iter().find(|other| configs[**other] == *config);
            all.push(match same {
                Some(first) => Arc::clone(&all[*first]),
                None => {
                    alike.push(i);
                    Arc::new(Resolved::of(config, line, standalone))
                }
            });
        }
        all
    }

    fn of(config: &Config, line: (u64, u64), standalone: bool) -> Resolved {
        let queue = queue::resolve(config, line, standalone);
        let stores = store::resolve(config);
        Resolved {
            mq: match &queue {
                Ok(queue) => Ok(queue.mq.clone()),
                Err(_) => queue::resolve_type(config, line, standalone).map(|(mq, _, _)| mq),
            },
            // Without anything hidden all of it is seen.
            seen_queue: match config.unknown.is_empty() {
                true => queue.as_ref().ok().cloned(),
                false => queue::visible(config, line, standalone),
            },
            seen_stores: match config.unknown.is_empty() {
                true => stores.as_ref().ok().cloned(),
                false => store::visible(config),
            },
            queue,
            stores,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;
    use super::*;

    #[test]
    fn configurations_share_where_they_lead_as_far_as_they_are_one() {
        let plain = config("", "mq: {type: kafka}\nkafka: {brokerList: a}", "{}", true);
        let with = |env: &str| plain_with(&plain, env);
        let other = config("", "mq: {type: kafka}\nkafka: {brokerList: b}", "{}", true);
        let configs = [plain.clone(), other, with("a"), plain.clone(), with("b"), with("a")];
        let all = Resolved::all(&configs, (2, 6), true);
        let shared: Vec<Vec<usize>> = all
            .iter()
            .map(|one| (0..6).filter(|i| Arc::ptr_eq(one, &all[*i])).collect())
            .collect();
        assert_eq!(
            shared,
            [vec![0, 3], vec![1], vec![2, 5], vec![0, 3], vec![4], vec![2, 5]]
        );
    }

    /// A configuration with a variable over it.
    fn plain_with(plain: &Config, value: &str) -> Config {
        let container = crate::value::json!({"env": [{"name": "KAFKA_BROKERLIST", "value": value}]});
        let env = crate::milvus::config::Environment::of(crate::milvus::config::Owner::default(), &container, "");
        plain.clone().with_env(&env, true)
    }
}
