#[test]
fn the_template_is_there() {
    assert!(include_str!("../templates/greeting.html").contains("Hello"));
}
