//! What the steps of a judgement cost, on the bundled example: `cargo bench`. Whole processes are measured by
//! `scripts/bench`, two revisions by `scripts/bench-compare`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use milvus_uplift::finding::Input;
use milvus_uplift::judge::{Current, Places, Request, ValuesFile, judge};
use milvus_uplift::milvus::release::inventory;
use milvus_uplift::stream::Stream;
use milvus_uplift::{apply, yaml};

fn main() {
    divan::main();
}

fn example(file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/example")
        .join(file);
    std::fs::read(path).expect("a file of the example")
}

fn text(file: &str) -> String {
    String::from_utf8(example(file)).expect("UTF-8")
}

fn request() -> Request {
    Request {
        target: example("target.yaml").into(),
        current: Current::Manifests(example("current.yaml").into()),
        values: vec![ValuesFile {
            name: "values.yaml".into(),
            bytes: example("values.yaml"),
        }],
        places: Places::IfRefused,
        ..Request::default()
    }
}

#[divan::bench]
fn split(bencher: Bencher) {
    let text = text("target.yaml");
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| yaml::split(black_box(&text)));
}

/// The documents, each by the reader that takes it.
#[divan::bench]
fn read_values(bencher: Bencher) {
    let text = text("target.yaml");
    let documents = yaml::split(&text).expect("a stream");
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        for document in &documents {
            let _ = black_box(yaml::read(&text[document.body.clone()]));
        }
    });
}

/// The documents with the places of their nodes: the full parser, for findings and edits.
#[divan::bench]
fn read_places(bencher: Bencher) {
    let text = text("target.yaml");
    let documents = yaml::split(&text).expect("a stream");
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        for document in &documents {
            let _ = black_box(yaml::Tree::parse(&text[document.body.clone()]));
        }
    });
}

#[divan::bench]
fn emit(bencher: Bencher) {
    let stream = Stream::read(example("target.yaml"), Input::Target).expect("a stream");
    bencher.bench(|| stream.objects.iter().map(|o| yaml::emit(&o.value).len()).sum::<usize>());
}

#[divan::bench]
fn take_inventory(bencher: Bencher) {
    let stream = Stream::read(example("target.yaml"), Input::Target).expect("a stream");
    bencher.bench(|| inventory(black_box(&stream.objects)));
}

#[divan::bench]
fn judge_and_render(bencher: Bencher) {
    let request = request();
    let bytes = request.target.len();
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| judge(black_box(&request)));
}

/// Writing, reading back and comparing alone.
#[divan::bench]
fn render(bencher: Bencher) {
    let judgement = judge(&request());
    let stream = judgement.read.0.as_ref().expect("a stream");
    bencher.bench(|| apply::render(black_box(stream), &judgement.changes));
}
