//! Where in a file the mutants of a list stand.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::plant::{Mutant, Position};

/// The places of a file's mutants, outer ones before what stands in them. What no switch can tell has none: constants, functions
/// that return `impl Trait`, conditions beside `let`.
pub fn nodes(text: &str, mutants: &BTreeMap<u32, &Mutant>) -> Result<Vec<Node>> {
    let syntax = syn::parse_file(text)?;
    let mut finder = Finder {
        mutants,
        nodes: Vec::new(),
    };
    finder.visit_file(&syntax);
    let mut nodes = finder.nodes;
    nodes.sort_by_key(|n| (n.at.start, std::cmp::Reverse(n.at.end)));
    Ok(nodes)
}

/// What becomes of a place.
pub enum Form {
    /// Behind the opening brace of a function.
    Body(Vec<(u32, String)>),
    /// `L op R`.
    Binary {
        left: Range<usize>,
        right: Range<usize>,
        op: String,
        mutants: Vec<(u32, String)>,
    },
    /// `-X` or `!X`.
    Unary {
        operand: Range<usize>,
        op: &'static str,
        id: u32,
    },
    /// The condition of an arm.
    Guard {
        mutants: Vec<(u32, String)>,
        deleted: Option<u32>,
        given: bool,
    },
}

/// A place in a file.
pub struct Node {
    pub at: Range<usize>,
    pub form: Form,
}

struct Finder<'m> {
    mutants: &'m BTreeMap<u32, &'m Mutant>,
    nodes: Vec<Node>,
}

impl Finder<'_> {
    fn at(&self, genre: &str, span: proc_macro2::Span) -> Vec<(u32, String)> {
        let start = span.start();
        let here = Position {
            line: start.line,
            column: start.column + 1,
        };
        self.mutants
            .iter()
            .filter(|(_, m)| m.genre == genre && m.span.start == here)
            .map(|(id, m)| (*id, m.replacement.clone()))
            .collect()
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let Some(first) = block.stmts.first() else { return };
        if signature.constness.is_some() {
            return;
        }
        let mut found = self.at("FnValue", first.span());
        found.retain(|(id, _)| {
            !self.mutants[id]
                .function
                .as_ref()
                .is_some_and(|f| f.return_type.contains("impl "))
        });
        if !found.is_empty() {
            let behind = block.brace_token.span.open().byte_range().end;
            self.nodes.push(Node {
                at: behind..behind,
                form: Form::Body(found),
            });
        }
    }
}

fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(b) => has_let(&b.left) || has_let(&b.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        if item.sig.constness.is_none() {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        if item.sig.constness.is_none() {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    // A constant calls nothing.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let mutants = self.at("BinaryOperator", expr.op.span());
        // Beside `let` there is no `||`: such a mutant builds nowhere.
        let chain = matches!(expr.op, syn::BinOp::And(_)) && (has_let(&expr.left) || has_let(&expr.right));
        if !mutants.is_empty() && !chain {
            let op = expr.op.span().source_text().unwrap_or_default();
            let (left, right) = (expr.left.span().byte_range(), expr.right.span().byte_range());
            self.nodes.push(Node {
                at: left.start..right.end,
                form: Form::Binary {
                    left,
                    right,
                    op,
                    mutants,
                },
            });
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let op = match expr.op {
            syn::UnOp::Not(_) => "!",
            syn::UnOp::Neg(_) => "-",
            _ => return visit::visit_expr_unary(self, expr),
        };
        if let Some((id, _)) = self.at("UnaryOperator", expr.op.span()).pop() {
            let operand = expr.expr.span().byte_range();
            self.nodes.push(Node {
                at: expr.op.span().byte_range().start..operand.end,
                form: Form::Unary { operand, op, id },
            });
        }
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let deleted = self.at("MatchArm", arm.pat.span()).pop().map(|(id, _)| id);
        let mutants = arm
            .guard
            .as_ref()
            .map(|(_, guard)| self.at("MatchArmGuard", guard.span()))
            .unwrap_or_default();
        if deleted.is_some() || !mutants.is_empty() {
            let at = match &arm.guard {
                Some((_, guard)) => guard.span().byte_range(),
                None => {
                    let end = arm.pat.span().byte_range().end;
                    end..end
                }
            };
            self.nodes.push(Node {
                at,
                form: Form::Guard {
                    mutants,
                    deleted,
                    given: arm.guard.is_some(),
                },
            });
        }
        visit::visit_arm(self, arm);
    }
}
