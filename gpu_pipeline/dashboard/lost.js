// The connection is gone. The address has what the person sees: the page loads itself anew as soon as the server answers
// and somebody looks at it. A page whose connection is lost as soon as it is there waits a while, or it would spin.
const notice = Object.assign(document.createElement("div"), {className: "lost"});
notice.setAttribute("role", "alert");
const button = Object.assign(document.createElement("button"), {textContent: "Reload"});
button.addEventListener("click", () => location.reload());
notice.append("The connection to the server is lost. This page comes back by itself once the server answers.", button);
document.body.append(notice);

const answers = () => fetch("liveness", {cache: "no-store"}).then((answer) => answer.ok, () => false);
const look = async () => {
  if (!document.hidden && performance.now() > 10000 && (await answers())) location.reload();
  else setTimeout(look, 2000);
};
look();
