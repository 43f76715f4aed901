// In place of MathJax, which Voila would fetch from elsewhere; no app shows formulas.
