// The access token is in memory only: it is gone when the page is, and the next
// page gets another one by the cookie.
let access = null

const post = (path, body) => fetch(path, {
  method: 'POST',
  headers: {'Content-Type': 'application/json'},
  body: body && JSON.stringify(body),
})

// refresh gets an access token. The lock keeps two tabs from using one refresh
// token twice.
const refresh = () => navigator.locks.request('refresh', async () => {
  const answer = await post('/token/refresh/')
  access = answer.ok ? (await answer.json()).access : null
  return answer.ok
})

// api asks, once more with a new token if the old one has expired.
async function api(path) {
  const ask = () => fetch(path, {headers: {Authorization: 'Bearer ' + access}})
  let answer = await ask()
  if (answer.status === 401 && await refresh()) answer = await ask()
  return answer
}

async function show() {
  const answer = access && await api('/api/me')
  const signedIn = Boolean(answer && answer.ok)
  document.getElementById('who').textContent = signedIn ? 'You are ' + (await answer.text()).trim() : 'Nobody is signed in'
  document.getElementById('login').hidden = signedIn
  document.getElementById('logout').hidden = !signedIn
}

document.getElementById('login').addEventListener('submit', async event => {
  event.preventDefault()
  const answer = await post('/token/', Object.fromEntries(new FormData(event.target)))
  if (answer.ok) access = (await answer.json()).access
  await show()
  if (!answer.ok) document.getElementById('who').textContent = (await answer.json()).detail
})

document.getElementById('logout').addEventListener('click', async () => {
  await post('/token/blacklist/')
  access = null
  await show()
})

refresh().then(show)
