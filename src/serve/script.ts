/**
 * What moves the page: replaces the parts that have changed, as the stream brings them, and keeps ages right. The page is whole
 * without it. It is not made from other files, since its hash stands in the policy that lets it run.
 */
export const SCRIPT = `'use strict'
const live = document.getElementById('live')
let skew = 0
let source

function age(ms) {
  if (ms < 1e3) return 'now'
  if (ms < 6e4) return Math.floor(ms / 1e3) + ' s ago'
  if (ms < 36e5) return Math.floor(ms / 6e4) + ' min ago'
  return ms < 1728e5 ? Math.floor(ms / 36e5) + ' h ago' : Math.floor(ms / 864e5) + ' d ago'
}

function tick() {
  for (const time of document.querySelectorAll('time[data-at]')) {
    const text = age(Date.now() + skew - time.dataset.at)
    if (time.textContent !== text) time.textContent = text
  }
}

function replace(id, markup) {
  const part = document.getElementById(id)
  if (!part) return
  const opened = new Map()
  for (const details of part.querySelectorAll('details[id]')) opened.set(details.id, details.open)
  part.innerHTML = markup
  for (const details of part.querySelectorAll('details[id]')) {
    if (opened.has(details.id)) details.open = opened.get(details.id)
  }
}

function show(state, text) {
  live.dataset.state = state
  if (live.textContent !== text) live.textContent = text
}

function open() {
  source = new EventSource('events')
  source.addEventListener('parts', (event) => {
    const { now, parts } = JSON.parse(event.data)
    skew = now - Date.now()
    for (const id in parts) replace(id, parts[id])
    tick()
    show('on', 'live')
  })
  source.onerror = () => {
    show('off', 'no answer since ' + new Date().toISOString().slice(11, 19) + ' UTC')
    if (source.readyState !== EventSource.CLOSED) return
    source = undefined
    setTimeout(watch, 5e3)
  }
}

function watch() {
  if (document.hidden) {
    if (source) source.close()
    source = undefined
  } else if (!source) open()
}

document.addEventListener('visibilitychange', watch)
setInterval(tick, 1e3)
watch()
`
