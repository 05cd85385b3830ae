export default function App() {
  return <p>first</p>;
}
