import './style.css'
import { page, start } from './router.js'

const KEY = 'notes'
const read = () => JSON.parse(localStorage.getItem(KEY) ?? '[]')
const write = (notes) => localStorage.setItem(KEY, JSON.stringify(notes))

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value)
    else made.setAttribute(key, value)
  }
  made.append(...children)
  return made
}

function list() {
  const items = element('ul')
  const draw = () => items.replaceChildren(...read().map((text, index) => element('li', {}, text,
    element('button', { onclick: () => { write(read().filter((_, other) => other !== index)); draw() } }, 'Remove'))))
  const field = element('input', { name: 'note', placeholder: 'Something to remember', required: '' })
  const form = element('form', { onsubmit: (event) => {
    event.preventDefault()
    write([...read(), field.value])
    field.value = ''
    draw()
  } }, field, element('button', {}, 'Add'))
  draw()
  return element('section', {}, element('h1', {}, 'Notes'), form, items)
}

page('/', list)
page('/about', () => element('section', {}, element('h1', {}, 'About'), element('p', {}, 'Notes are kept in this browser alone.')))
page('*', (path) => element('section', {}, element('h1', {}, 'Not found'), element('p', {}, `There is nothing at ${path}.`)))

const main = element('main')
document.querySelector('#app').append(
  element('nav', {}, element('a', { href: '/' }, 'Notes'), element('a', { href: '/about' }, 'About')), main)
start(main)
