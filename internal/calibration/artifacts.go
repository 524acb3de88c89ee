package calibration

// Names of a run's artifacts. All but lineage.json are reproducible to the
// byte on one GOARCH.
const (
	SpecArtifact        = "spec.json"
	InputsArtifact      = "inputs.manifest.json"
	PosteriorArtifact   = "posterior.json"
	StateArtifact       = "state.bin"
	DiagnosticsArtifact = "diagnostics.json"
	PredictionsArtifact = "predictions.csv"
	LineageArtifact     = "lineage.json"
)
