//! How much a document may ask of its reader.

/// How deep collections may nest. Deeper texts are refused; Kubernetes' own schemas stay far below.
pub const MAX_DEPTH: usize = 100;

/// Nodes made so far, and how many of them by aliases.
#[derive(Debug, Default)]
pub(super) struct Budget {
    nodes: usize,
    copies: usize,
}

impl Budget {
    /// Counts nodes, some of them copies made by an alias. False for an alias bomb, by go-yaml's measure: nearly all
    /// of a small document may come from aliases, and less and less of a large one.
    pub(super) fn spend(&mut self, nodes: usize, copies: usize) -> bool {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.nodes = self.nodes.saturating_add(nodes);
        self.copies = self.copies.saturating_add(copies);
        if copies == 0 || self.copies <= 100 || self.nodes <= 1000 {
            return true;
        }
        let total = self.nodes as f64;
        let allowed = 0.99 - 0.89 * ((total - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        self.copies as f64 / total <= allowed
    }
}
