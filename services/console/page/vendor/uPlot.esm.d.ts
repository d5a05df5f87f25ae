// Gives the ES module the types of its release, which are written for CommonJS.
import uPlot from "./uPlot.cjs";

export default uPlot;
