using CsCheck;

namespace RepNoise.Host.Tests.Checkpoints;

/// <summary>
/// Runs a property over values from a CsCheck generator with a seed that fixes every one of them; CsCheck's own Sample fixes
/// only the first, so that a rare failure would come and go.
/// </summary>
internal static class Deterministic
{
    public static void ForAll<T>(this Gen<T> generator, ulong seed, int count, Action<T> property)
    {
        var random = new PCG(1, seed);
        for (int i = 0; i < count; i++)
        {
            var value = generator.Generate(random, null, out _);
            var failure = Record.Exception(() => property(value));
            Assert.True(failure is null, $"value {i} of seed {seed}, {Check.Print(value)}: {failure}");
        }
    }
}
