// The page behind a digest's link: one project, read with the office's own token. The page itself holds no data;
// what may be seen is decided by the API, and everything is written as text, never as HTML.
(function () {
  var KEY = "luodi-token", LEVELS = { blue: "蓝灯", yellow: "黄灯", red: "红灯", exit_review: "退出评估" };
  var STATUS = { active: "推进中", suspended: "暂停", terminated: "终止" };
  var RECOGNITION = { claimed: "待认定", recognised: "已认定", recognised_not_scored: "通过不计分", returned: "已退回" };
  var ref = location.pathname.split("/").pop();
  var UNITS = { d: " 天", wd: " 个工作日", m: " 个月" }, CURRENCIES = { CNY: "元", USD: "美元", EUR: "欧元", HKD: "港元", JPY: "日元" };
  function limit(text) { var parts = /^(-?\d+)(wd|d|m)$/.exec(text); return parts ? parts[1] + UNITS[parts[2]] : text; }
  function money(one) {
    var tenThousands = Number(one.amount) / 10000;
    return tenThousands.toLocaleString("zh-CN", { maximumFractionDigits: 6 }) + "万" + (CURRENCIES[one.currency] || one.currency);
  }
  function by(id) { return document.getElementById(id); }
  function add(parent, tag, text, name) {
    var made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    parent.appendChild(made);
    return made;
  }
  function get(path, token) {
    return fetch("/api/v1/projects/" + ref + path, { headers: { Authorization: "Bearer " + token }, cache: "no-store" }).then(function (answer) {
      return answer.json().then(function (found) {
        if (!answer.ok) throw new Error(found.hint || found.title);
        return found;
      });
    });
  }
  function show(project, facts) {
    document.title = "落地 · " + project.name;
    by("name").textContent = project.name + "（" + project.ref + "，" + project.office.name + "）";
    by("summary").textContent = [
      (project.stage_label || "未登记阶段") + "（" + (project.stage_entered_on || "—") + " 起）", STATUS[project.status],
      project.signed_on ? "签约 " + project.signed_on : "未签约", project.investor || "投资方未登记",
      project.contract_amount ? "协议投资 " + money(project.contract_amount) : "金额未登记",
      "责任人 " + (project.owner ? project.owner.name : "未指定")
    ].join("；");
    ["flags", "missing", "facts"].forEach(function (id) { by(id).textContent = ""; });
    project.flags.forEach(function (flag) {
      add(by("flags"), "li", LEVELS[flag.level] + " " + flag.label + "：自 " + flag.basis_on + " 起，时限 " + flag.limit + "，" + flag.due_on + " 到期，已超 " + flag.days_over + " 天" + (flag.provisional ? "（工作日暂计）" : ""), flag.level);
    });
    if (!project.flags.length) add(by("flags"), "li", "无");
    project.missing.forEach(function (one) { add(by("missing"), "li", one.label); });
    if (!project.missing.length) add(by("missing"), "li", "无");
    facts.items.forEach(function (fact) {
      var row = add(by("facts"), "tr", "", fact.voided || fact.returned ? "gone" : "");
      var data = fact.data;
      add(row, "td", fact.effective_on);
      add(row, "td", fact.label + (fact.action ? "（" + fact.action + "）" : "") + (fact.source === "reply_link" ? "（经邮件链接）" : ""));
      add(row, "td", data.text || data.note || data.reason || data.milestone || (data.no_change ? "无变化" : ""));
      add(row, "td", fact.voided ? "已作废" : RECOGNITION[fact.recognition] || "");
    });
    by("sign-in").hidden = true;
    by("project").hidden = false;
  }
  function open(token) {
    Promise.all([get("", token), get("/facts", token)]).then(function (found) {
      sessionStorage.setItem(KEY, token);
      show(found[0], found[1]);
    }).catch(function (refusal) {
      sessionStorage.removeItem(KEY);
      by("refused").textContent = refusal.message;
      by("sign-in").hidden = false;
    });
  }
  by("sign-in").addEventListener("submit", function (event) { event.preventDefault(); open(by("token").value.trim()); });
  var kept = sessionStorage.getItem(KEY);
  if (kept) open(kept); else by("sign-in").hidden = false;
})();
