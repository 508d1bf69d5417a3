package paired

// MeasureBy is Measure by another clock.
var MeasureBy = measure
