// Everything is drawn once, then one network is chosen: the first winner, or what came nearest to the budget.
startWinners();
startCompare();
startParallel();
Promise.all([startPareto(), startHistory()]).then(() => {
  choose("candidate", data.first);
  document.body.dataset.ready = "yes";
});
