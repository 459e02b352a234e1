"use strict"
// What comes from the desk goes into the page as text, never as markup.

const byId = (id) => document.getElementById(id)
const token = new URLSearchParams(location.search).get("token") ?? ""
const news = new EventSource("events?token=" + encodeURIComponent(token))
addEventListener("pagehide", () => news.close()) // a browser may keep the connection of a page that was left

function element(name, words, kind = "") {
  const made = document.createElement(name)
  made.textContent = words
  made.className = kind
  return made
}

function tell(state) {
  if (byId("state").textContent !== state) byId("state").textContent = state // it is read aloud when it changes
}

function showFinding(finding) {
  const item = document.createElement("li")
  item.append(element("code", `${finding.file}:${finding.line}`), " ", element("span", finding.rule, `rule ${finding.rule}`))
  item.append(element("div", finding.text))
  if (finding.chain.length > 0) {
    const chain = element("ol", "", "chain")
    chain.append(...finding.chain.map((step) => element("li", step)))
    item.append(chain)
  }
  byId("findings").append(item)
  byId("none").hidden = true
}

function showProgress(now) {
  byId("pages").max = now.of
  byId("pages").value = now.read + now.lost
  const figures = { read: `${now.read} of ${now.of}`, lost: now.lost, count: now.findings, killed: now.killed, twice: now.twice }
  for (const [id, figure] of Object.entries(figures)) byId(id).textContent = figure
}

news.addEventListener("open", () => tell("At work."))
news.addEventListener("finding", (event) => showFinding(JSON.parse(event.data)))
news.addEventListener("progress", (event) => showProgress(JSON.parse(event.data)))
news.addEventListener("end", (event) => {
  news.close() // else the browser would connect again
  const now = JSON.parse(event.data)
  showProgress(now)
  tell(`Done: ${now.findings} findings in ${now.read} pages.`)
})
news.addEventListener("error", () => {
  const gone = news.readyState === EventSource.CLOSED
  tell(gone ? "The desk lets nobody in: open the address that it has printed." : "The connection is lost; trying again.")
})
