// Everything is drawn once, then the first winner (or else the first candidate) is chosen.
startWinners();
startCompare();
startParallel();
Promise.all([startPareto(), startHistory()]).then(() => {
  choose("candidate", data.winners.length ? data.winners[0] : 0);
  document.body.dataset.ready = "yes";
});
