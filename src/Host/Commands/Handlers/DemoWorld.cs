using System.Reflection;
using RepNoise.Host.Evaluation;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>The files of examples/potions, which the program carries with it.</summary>
internal sealed class DemoWorld
{
    private const string Prefix = "potions/";

    /// <param name="folder">Where to write the files.</param>
    public DemoWorld(string folder)
    {
        Folder = folder;
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            string path = PathOf(name[Prefix.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var source = assembly.GetManifestResourceStream(name)!;
            using var target = File.Create(path);
            source.CopyTo(target);
        }
    }

    public string Folder { get; }

    /// <summary>Folder of config.json and tokenizer.json.</summary>
    public string Model => PathOf("model");

    public string PathOf(string file) => Path.Combine(Folder, file);

    public SlotQuestions Questions() => new(File.ReadAllText(PathOf("test.jsonl")), File.ReadAllText(PathOf("fields.json")));
}
