// Somebody who is signed in at the demo as alice, as far as an application is
// concerned.
const entities = { "&amp;": "&", "&#34;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">", "&#43;": "+" };
const plain = (text) => text.replace(/&(?:amp|#34|#39|lt|gt|#43);/g, (e) => entities[e]);

export async function signIn(url) {
  const cookies = {};
  async function send(target, form) {
    const answer = await fetch(target, {
      method: form ? "POST" : "GET",
      redirect: "manual",
      headers: { Accept: "text/html", Cookie: Object.entries(cookies).map(([k, v]) => `${k}=${v}`).join("; "), ...(form && { "Content-Type": "application/x-www-form-urlencoded" }) },
      body: form && new URLSearchParams(form).toString(),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]*)=([^;]*)/);
      cookies[name] = value;
    }
    return answer;
  }
  await send(`${url}/session/login`, { username: "alice", password: "correct-horse-battery" });

  const fields = (page) => Object.fromEntries([...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map((m) => [plain(m[1]), plain(m[2])]));
  // authorize agrees, or not, and returns the address that the browser is sent to,
  // or the request by which the answer is posted.
  return async function authorize(at, answerWith = { allow: "Allow" }) {
    let answer = await send(at);
    if (answer.status === 200) {
      const page = await answer.text();
      if (!page.includes('name="interaction"')) return posted(page);
      answer = await send(`${url}/o/authorize/`, { ...fields(page), ...answerWith });
      if (answer.status === 200) return posted(await answer.text());
    }
    return new URL(answer.headers.get("Location"));
  };
  function posted(page) {
    const [, action] = page.match(/<form method="post" action="([^"]*)">/);
    return new Request(plain(action), { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: new URLSearchParams(fields(page)).toString() });
  }
}
