fn main() {
    for item in catalogue::items() {
        println!("ordering {item}");
    }
}
