// In place of MathJax, which Voila would fetch from elsewhere: formulas stay as they are written.
window.MathJax = {Hub: {Config() {}, Configured() {}, Queue() {}, Register: {StartupHook() {}}}};
