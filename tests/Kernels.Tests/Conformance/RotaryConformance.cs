using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family rotary.</summary>
public abstract class RotaryConformance : Conformance
{
    /// <summary>Rows, heads, head size.</summary>
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 9, 3, 16 }, { 1, 1, 2 }, { 5, 1, 10 }, { 7, 2, 6 }, { 33, 4, 80 }, { 17, 2, 128 }, { 65, 1, 32 }, { 0, 2, 16 },
        // More heads than a block of CUDA's kernel turns at once, and no multiple of those; heads whose angles take several blocks.
        { 3, 19, 128 }, { 2, 37, 80 }, { 2, 45, 14 }, { 2, 3, 528 }, { 2, 1, 1034 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Heads_turn_by_their_position(int rows, int heads, int headSize) => Forward(401, bench =>
        Turn(bench, rows, heads, headSize, inverse: false));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Inverse_turns_back(int rows, int heads, int headSize) => Backward(402, bench =>
        Turn(bench, rows, heads, headSize, inverse: true));

    private static void Turn(Workbench bench, int rows, int heads, int headSize, bool inverse)
    {
        const int Positions = 40;
        var (cosines, sines) = RotaryTables.Build(RotaryTables.Frequencies(headSize, 10000), Positions);
        var cos = bench.Input("cos", BufferKind.State, Positions, headSize / 2, cosines);
        var sin = bench.Input("sin", BufferKind.State, Positions, headSize / 2, sines);
        var x = bench.Updated("x", BufferKind.Compute, rows, heads * headSize, magnitude: 1);
        // Positions start over, as those of answers that share a prompt do.
        int[] positions = [.. Enumerable.Range(0, rows).Select(r => (7 + r) % Positions)];
        bench.Device.Rotary(x, cos, sin, bench.Numbers(positions), inverse);
    }
}
