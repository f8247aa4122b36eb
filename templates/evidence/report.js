"use strict";
// The page is complete without this file. It adds: rows that open and close, the filter, and links that set it
// (#status=fail,waived&host=db-1&framework=gdpr&text=sshd, or #control-<id>).
(() => {
  const page = document.documentElement;
  const section = document.getElementById("controls");
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const openAll = document.getElementById("open-all");
  const noneShown = document.getElementById("none-shown");
  const countsHosts = section.dataset.columns === "statuses";
  const hosts = [...form.elements.host.options].slice(1).map((option) => option.value);
  page.classList.add("js");

  const inRanges = (ranges, number) =>
    ranges.split(",").some((range) => {
      const [first, last] = range.split("-").map(Number);
      return number >= first && number <= (last ?? first);
    });
  const sizeOf = (ranges) =>
    ranges.split(",").reduce((size, range) => {
      const [first, last] = range.split("-").map(Number);
      return size + (last ?? first) - first + 1;
    }, 0);

  const controls = [...section.querySelectorAll("tbody.control")].map((body) => ({
    body,
    detail: body.querySelector(".detail"),
    cells: [...body.querySelectorAll(".head td")],
    frameworks: body.dataset.frameworks.split(" "),
    findings: [...body.querySelectorAll(".finding")].map((element) => ({
      element,
      status: element.dataset.status,
      hosts: element.dataset.hosts,
    })),
    text: null,
    button: null,
  }));

  const setOpen = (control, open) => {
    control.detail.hidden = !open;
    control.button.setAttribute("aria-expanded", String(open));
  };

  for (const control of controls) {
    const title = control.body.querySelector(".title");
    const button = document.createElement("button");
    const arrow = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", "#icon-more");
    arrow.setAttribute("class", "icon");
    arrow.setAttribute("aria-hidden", "true");
    arrow.append(use);
    button.type = "button";
    button.className = "toggle";
    button.setAttribute("aria-controls", control.detail.id);
    button.append(arrow, ...title.childNodes);
    title.append(button);
    control.button = button;
    setOpen(control, false);
    control.body.querySelector(".head").addEventListener("click", () => {
      if (String(window.getSelection()) === "") setOpen(control, control.detail.hidden);
    });
  }

  const wanted = () => ({
    statuses: [...form.elements.status].filter((box) => box.checked).map((box) => box.value),
    host: hosts.indexOf(form.elements.host.value),
    framework: form.elements.framework.value,
    text: form.elements.text.value.trim().toLowerCase(),
  });

  const matchesText = (control, text) => {
    if (!text) return true;
    control.text ??= control.body.textContent.toLowerCase();
    return text.split(/\s+/).every((word) => control.text.includes(word));
  };

  const apply = () => {
    const filter = wanted();
    const onHost = (finding) => filter.host < 0 || inRanges(finding.hosts, filter.host);
    const ofStatus = (status) => filter.statuses.length === 0 || filter.statuses.includes(status);
    let count = 0;
    for (const control of controls) {
      let found = control.findings.length === 0 && ofStatus("none") && filter.host < 0;
      for (const finding of control.findings) {
        const matches = onHost(finding) && ofStatus(finding.status);
        finding.element.hidden = !matches;
        found ||= matches;
      }
      const visible =
        found &&
        (!filter.framework || control.frameworks.includes(filter.framework)) &&
        matchesText(control, filter.text);
      control.body.hidden = !visible;
      count += visible;
      for (const cell of control.cells) {
        if (countsHosts) {
          const counted = control.findings.filter((one) => one.status === cell.dataset.status && onHost(one));
          const number = filter.host < 0 ? counted.reduce((sum, one) => sum + sizeOf(one.hosts), 0) : counted.length;
          cell.textContent = number;
          cell.classList.toggle("zero", number === 0);
        } else {
          cell.classList.toggle("off-host", filter.host >= 0 && Number(cell.dataset.host) !== filter.host);
        }
      }
    }
    for (const area of section.querySelectorAll("tbody.area")) {
      let next = area.nextElementSibling;
      while (next?.matches(".control") && next.hidden) next = next.nextElementSibling;
      area.hidden = !next?.matches(".control");
    }
    shown.textContent = count === controls.length ? `${count} controls` : `${count} of ${controls.length} controls`;
    noneShown.hidden = count > 0;
    section.querySelector(".table-frame").hidden = count === 0;
  };

  const remember = () => {
    const filter = wanted();
    const parts = new URLSearchParams();
    if (filter.statuses.length) parts.set("status", filter.statuses.join(","));
    if (filter.host >= 0) parts.set("host", hosts[filter.host]);
    if (filter.framework) parts.set("framework", filter.framework);
    if (filter.text) parts.set("text", filter.text);
    const query = parts.toString().replaceAll("%2C", ",");
    history.replaceState(null, "", query ? `#${query}` : `${location.pathname}${location.search}`);
  };

  const showControl = (identifier) => {
    const control = controls.find((one) => one.body.id === identifier);
    if (!control) return;
    if (control.body.hidden) {
      form.reset();
      apply();
    }
    setOpen(control, true);
    control.body.scrollIntoView({ block: "start", behavior: "instant" });
    control.button.focus({ preventScroll: true });
  };

  const followHash = () => {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) {
      showControl(decodeURIComponent(hash));
      return;
    }
    const parts = new URLSearchParams(hash);
    const statuses = (parts.get("status") ?? "").split(",");
    for (const box of form.elements.status) box.checked = statuses.includes(box.value);
    form.elements.host.value = parts.get("host") ?? "";
    form.elements.framework.value = parts.get("framework") ?? "";
    form.elements.text.value = parts.get("text") ?? "";
    apply();
    section.scrollIntoView({ behavior: "instant" });
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    apply();
    remember();
  });
  form.addEventListener("reset", () => {
    // The fields are still filled while this event runs.
    setTimeout(() => {
      apply();
      remember();
    });
  });
  openAll.addEventListener("click", () => {
    const open = openAll.getAttribute("aria-pressed") === "false";
    openAll.setAttribute("aria-pressed", String(open));
    openAll.textContent = open ? "Close all" : "Open all";
    for (const control of controls) setOpen(control, open);
  });
  window.addEventListener("hashchange", followHash);
  apply();
  followHash();
})();
