use super::*;
use crate::finding::Input;
use crate::value::json;

#[test]
fn items_leave_a_list_with_what_was_to_change_in_them_and_no_other() {
    let items: String = (0..12)
        .map(|i| format!("- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{i}}}}}\n"))
        .collect();
    let list = format!("---\napiVersion: v1\nkind: List\nitems:\n{items}");
    let text = list.repeat(2);
    let stream = Stream::read(text.as_bytes(), Input::Target).unwrap();
    let patch = |i: usize| {
        let op = PatchOp {
            op: Op::Add,
            path: "/data".into(),
            value: Some(json!({"a": "b"})),
        };
        Change::patch(&stream.objects[i], vec![op], "")
    };
    let drop = |i: usize| Change::drop(&stream.objects[i], "");
    // Of the second List all leave.
    let mut changes = vec![patch(1), drop(0), patch(10), drop(1), patch(11), drop(11)];
    changes.extend((12..24).map(drop));
    let output = render(&stream, &changes).unwrap().to_string();
    let left = Stream::read(output.as_bytes(), Input::Target).unwrap();
    let seen: Vec<_> = left
        .objects
        .iter()
        .map(|o| (o.reference.name.clone(), o.at(&["data"]).is_some()))
        .collect();
    let expected: Vec<_> = (2..11).map(|i| (format!("c{i}"), i == 10)).collect();
    assert_eq!((seen, left.documents.len()), (expected, 1), "{output}");
}
