using System.Text;
using CsCheck;
using RepNoise.Host.Checkpoints;
using RepNoise.Host.Tests.Support;
using static RepNoise.Host.Tests.Checkpoints.SafetensorsBytes;

namespace RepNoise.Host.Tests.Checkpoints;

/// <summary>
/// Whatever the bytes, opening a file gives a file or a <see cref="SafetensorsException"/>, and what opens reads within its
/// bounds. Most cases go to the header's parser directly: mapping thousands of files takes longer than parsing them.
/// </summary>
public sealed class SafetensorsFuzzTests : IDisposable
{
    private static readonly string Good =
        $"{{\"__metadata__\":{{\"format\":\"pt\"}},{Entry("a", "F32", "[2,3]", "[0,24]")},{Entry("b", "BF16", "[4]", "[24,32]")},{Entry("c", "I64", "[0]", "[32,32]")}}}";

    private static readonly string[] Pieces =
        ["{", "}", "[", "]", "\"", ",", ":", "-1", "1e9", "9223372036854775807", "null", "\\ud800", "\"a\"", "\"F16\"", "\"shape\"", "\u00e9", " "];

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Random_files_never_crash() => Gen.Byte.Array[0, 200].ForAll(seed: 1, 200, bytes => TryOpen(bytes));

    [Fact]
    public void Damaged_files_never_crash()
    {
        byte[] good = Of(Good, 32);
        Assert.True(TryOpen(good));
        Gen.Select(Gen.Int[0, 48], Gen.Byte, Gen.Int[0, good.Length]).ForAll(seed: 2, 200, damage =>
        {
            var (at, value, length) = damage;
            byte[] bytes = [.. good];
            bytes[at] = value;
            TryOpen(bytes);
            TryOpen(good[..length]);
        });
    }

    [Fact]
    public void Random_headers_never_crash()
    {
        Gen.Byte.Array[0, 120].ForAll(seed: 3, 10_000, header => TryParse([(byte)'{', .. header], 16));
        var text = Gen.Int[0, Pieces.Length - 1].Select(i => Pieces[i]).Array[0, 20].Select(string.Concat);
        text.ForAll(seed: 4, 10_000, header => TryParse(Encoding.UTF8.GetBytes("{" + header), 16));
    }

    [Fact]
    public void Mutated_headers_never_crash()
    {
        Assert.True(TryParse(Encoding.UTF8.GetBytes(Good), 32));
        var edit = Gen.Select(Gen.Int[0, Good.Length - 1], Gen.Int[0, 8], Gen.Int[0, Pieces.Length - 1]);
        int sound = 0;
        edit.Array[1, 4].ForAll(seed: 5, 20_000, edits =>
        {
            string header = Good;
            foreach (var (at, remove, piece) in edits)
            {
                int start = Math.Min(at, header.Length), end = Math.Min(start + remove, header.Length);
                header = header[..start] + Pieces[piece] + header[end..];
            }

            sound += TryParse(Encoding.UTF8.GetBytes(header), 32) ? 1 : 0;
        });

        // Some edits do no harm (white space, a name); were there none, the edits would all stop at the first check.
        Assert.InRange(sound, 20, 5000);
    }

    [Fact]
    public void Generated_layouts_parse_exactly_when_they_tile_the_data()
    {
        var tensor = Gen.Select(Gen.Int[0, 6], Gen.Int[0, 4]);
        int tiling = 0;
        Gen.Select(tensor.Array[0, 3], Gen.Int[0, 6]).ForAll(seed: 6, 10_000, layout =>
        {
            var (tensors, dataLength) = layout;
            string header = string.Join(",", tensors.Select((t, i) => Entry($"t{i}", "U8", $"[{t.Item2}]", $"[{t.Item1},{t.Item1 + t.Item2}]")));
            bool tiles = Tiles(tensors, dataLength);
            Assert.Equal(tiles, TryParse(Encoding.UTF8.GetBytes($"{{{header}}}"), dataLength));
            tiling += tiles ? 1 : 0;
        });
        Assert.InRange(tiling, 250, 5000);
    }

    /// <summary>Every byte belongs to one tensor, and no tensor without bytes lies inside another.</summary>
    private static bool Tiles((int Begin, int Length)[] tensors, int dataLength) =>
        tensors.All(t => t.Begin + t.Length <= dataLength)
        && Enumerable.Range(0, dataLength).All(at => tensors.Count(t => t.Begin <= at && at < t.Begin + t.Length) == 1)
        && !tensors.Any(e => e.Length == 0 && tensors.Any(t => t.Begin < e.Begin && e.Begin < t.Begin + t.Length));

    private static bool TryParse(byte[] header, long dataLength) => Succeeds(() =>
    {
        foreach (var tensor in SafetensorsHeader.Parse(header, dataLength, "file", out _))
        {
            Assert.InRange(tensor.Begin, 0, tensor.End);
            Assert.InRange(tensor.End, tensor.Begin, dataLength);
            Assert.Equal(tensor.ByteLength, new TensorSpec(tensor.Name, tensor.DType, tensor.Shape).Count * tensor.DType.Size());
        }
    });

    private bool TryOpen(byte[] bytes) => Succeeds(() =>
    {
        using var file = SafetensorsFile.Open(folder.Write("fuzz.safetensors", bytes));
        foreach (var tensor in file.Tensors)
        {
            Assert.Equal(tensor.ByteLength, file.Bytes(tensor.Name).Length);
        }
    });

    private static bool Succeeds(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (SafetensorsException e)
        {
            Assert.DoesNotContain(e.Message, char.IsControl);
            return false;
        }
    }
}
