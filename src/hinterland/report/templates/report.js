"use strict";
(() => {
  const root = document.documentElement;
  const views = [...document.querySelectorAll("[data-view]")];
  const buttons = [...document.querySelectorAll("[data-choose]")];
  const known = views.map((view) => view.dataset.view);

  const place = (id, language) => id.replace(/^(en|zh)-/, `${language}-`);

  const choose = (language) => {
    const view = views.find((v) => v.dataset.view === language);
    root.dataset.lang = language;
    root.lang = view.dataset.code;
    document.title = view.dataset.title;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.choose === language));
  };

  const nearest = () => {
    const heads = [...document.querySelectorAll(`[data-view="${root.dataset.lang}"] section, [data-view="${root.dataset.lang}"] figure`)];
    return heads.filter((h) => h.getBoundingClientRect().top < 120).pop();
  };

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const here = nearest();
      choose(button.dataset.choose);
      const there = here && document.getElementById(place(here.id, button.dataset.choose));
      if (there) there.scrollIntoView();
      else window.scrollTo(0, 0);
    });
  }

  const fromHash = () => location.hash.slice(1, 3);
  const read = () => {
    if (!known.includes(fromHash())) return false;
    choose(fromHash());
    const target = document.getElementById(location.hash.slice(1));
    if (target) target.scrollIntoView();
    return true;
  };
  window.addEventListener("hashchange", read);
  const preferred = (navigator.language || "").slice(0, 2);
  if (!read()) choose(known.includes(preferred) ? preferred : root.dataset.lang);
})();
