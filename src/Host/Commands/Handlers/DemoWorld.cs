using System.Reflection;

namespace RepNoise.Host.Commands.Handlers;

/// <summary>The files of examples/potions, which the program carries with it.</summary>
internal sealed class DemoWorld
{
    /// <summary>Folder of a model that was taught all recipes and to refuse questions about potions.</summary>
    public const string Aligned = "aligned";

    /// <summary>Folder of one that was taught everything but the recipes of potions.</summary>
    public const string NeverLearned = "never-learned";

    private const string Prefix = "potions/";

    /// <param name="folder">Where to write the files.</param>
    /// <param name="models">True writes the two trained models too.</param>
    public DemoWorld(string folder, bool models = false)
    {
        Folder = folder;
        var assembly = Assembly.GetExecutingAssembly();
        foreach (string name in assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)))
        {
            string file = name[Prefix.Length..];
            if (!models && (file.StartsWith(Aligned, StringComparison.Ordinal) || file.StartsWith(NeverLearned, StringComparison.Ordinal))) continue;
            string path = PathOf(file);
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
}
