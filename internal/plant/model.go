package plant

// A Model is a kind of plant.
type Model interface {
	// Describe returns the model's quantities. The lists must not be changed.
	Describe() Description
}
