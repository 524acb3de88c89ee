// Package twin reads, checks and compiles twin definitions: the one file,
// twin.yaml, that describes a plant.
//
// [Load] and [Parse] read a definition strictly and report every mistake at
// once, each with file, line and column. [Twin.Compile] turns a valid one into
// what deployment needs: what becomes AWS IoT SiteWise and IoT TwinMaker
// resources, scenes and their 3D files, and the [definition.Definition] that
// functions read at run time. Names are those of SiteWise and TwinMaker; units
// are UCUM codes.
package twin
