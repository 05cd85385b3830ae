/// What the shop sells.
pub fn items() -> Vec<&'static str> {
    include_str!("items.txt").lines().collect()
}
