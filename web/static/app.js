// The upload shows how far it has come and can be stopped, and a page that shows
// how a file is read makes way for what comes next. Without this script the form
// is sent by the browser, and the page reloads itself, with the same result.
"use strict";

for (const page of document.querySelectorAll("[data-reading]")) {
  page.addEventListener("done", () => location.reload());
}

for (const form of document.querySelectorAll("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.elements.file.files[0];
    if (file && file.size > Number(form.dataset.limit)) {
      show(problem(form.dataset.tooLarge.replace("{name}", () => file.name)));
    } else {
      upload(form);
    }
  });
}

function upload(form) {
  const panel = form.querySelector(".upload");
  const bar = panel.querySelector("progress");
  const words = panel.querySelector("[role=status]");
  const stop = panel.querySelector("button");
  const submit = form.querySelector("button[type=submit]");
  const request = new XMLHttpRequest();
  let step = -1;

  const end = (alert) => {
    panel.hidden = true;
    submit.disabled = false;
    show(alert);
  };

  request.upload.onprogress = (event) => {
    if (!event.lengthComputable) return;
    const percent = Math.floor((event.loaded / event.total) * 100);
    bar.value = percent;
    if (percent === 100) {
      words.textContent = form.dataset.reading;
      stop.hidden = true;
    } else if (Math.floor(percent / 10) !== step) { // announced in tens, not with every packet
      step = Math.floor(percent / 10);
      words.textContent = form.dataset.sending.replace("{percent}", percent + "%");
    }
  };
  request.onload = () => {
    if (request.status === 200) {
      location.assign(request.responseURL);
      return;
    }
    const answer = new DOMParser().parseFromString(request.responseText, "text/html");
    const alert = answer.querySelector("#fault .problem");
    const said = answer.querySelector("main .card p"); // of an error page
    end(alert ?? problem(said ? said.textContent : form.dataset.lost));
  };
  request.onerror = () => end(problem(form.dataset.lost));
  request.onabort = () => end(problem(form.dataset.stopped));
  stop.onclick = () => request.abort();

  document.getElementById("fault").replaceChildren();
  bar.value = 0;
  stop.hidden = false;
  panel.hidden = false;
  submit.disabled = true;
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "text/html");
  request.send(new FormData(form));
}

function show(alert) {
  const fault = document.getElementById("fault");
  fault.replaceChildren(alert);
  fault.scrollIntoView({ block: "nearest" });
}

function problem(text) {
  const alert = document.getElementById("problem").content.cloneNode(true);
  alert.querySelector("p").append(text);
  return alert;
}
