const pages = new Map()

export function page(path, render) {
  pages.set(path, render)
}

export function show(path, target) {
  const render = pages.get(path) ?? pages.get('*')
  target.replaceChildren(render(path))
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === path) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
}

export function start(target) {
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="/"]')
    if (!link) return
    event.preventDefault()
    history.pushState(null, '', link.href)
    show(location.pathname, target)
  })
  window.addEventListener('popstate', () => show(location.pathname, target))
  show(location.pathname, target)
}
