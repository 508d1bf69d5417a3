addEventListener("pagehide", () => { document.documentElement.hidden = true })
addEventListener("pageshow", e => { if (e.persisted) location.replace(location.href) })
