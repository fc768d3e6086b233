using System.Text.Json;
using RepNoise.Host.Experiments;

namespace RepNoise.Host.Tests.Experiments;

/// <summary>U and p against values from the definitions (make_mann_whitney.py).</summary>
public sealed class MannWhitneyTests
{
    public static TheoryData<string> Cases => [.. Goldens().Select(golden => golden.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void U_and_p_are_those_of_the_definition(string name)
    {
        var golden = Goldens().Single(golden => golden.Name == name);
        var found = MannWhitney.Test(golden.A, golden.B);
        Assert.Equal(golden.U, found.U);
        Assert.Equal(golden.A.Length + golden.B.Length <= 40, found.Exact);
        Assert.True(Math.Abs(found.P - golden.P) <= 1e-10 * golden.P, $"p is {found.P:R}, expected {golden.P:R}");
        Assert.Equal(golden.U / (golden.A.Length * golden.B.Length), found.Effect, 1e-12);
        var turned = MannWhitney.Test(golden.B, golden.A);
        Assert.Equal((golden.A.Length * golden.B.Length) - golden.U, turned.U, 1e-9);
        Assert.Equal(found.P, turned.P, 1e-12);
    }

    private static Golden[] Goldens() => JsonSerializer.Deserialize<Golden[]>(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Experiments", "mann_whitney.json")), JsonSerializerOptions.Web)!;

    private sealed record Golden(string Name, double[] A, double[] B, double U, double P);
}
