// theme.js - light or dark.

// auto follows the system; the choice is kept where the browser allows it.
function themeSwitch(redraw) {
    const choice = document.getElementById("theme");
    try { choice.value = localStorage.getItem("vitrine-theme") ?? "auto"; } catch { /* a file may have no storage */ }
    const apply = () => {
        document.documentElement.dataset.theme = choice.value;
        try { localStorage.setItem("vitrine-theme", choice.value); } catch { /* as above */ }
        redraw();
    };
    choice.onchange = apply;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    apply();
}
