<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>SARdine</name>
    <message>
        <source>SARdine</source>
        <translation>SARdine</translation>
    </message>
    <message>
        <source>Load a Sentinel-1 raster into the project.</source>
        <translation>Ein Sentinel-1-Raster in das Projekt laden.</translation>
    </message>
    <message>
        <source>Scene</source>
        <translation>Szene</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Bands</source>
        <translation>Bänder</translation>
    </message>
    <message>
        <source>Area</source>
        <translation>Gebiet</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>Ergebnisse</translation>
    </message>
    <message>
        <source>Map</source>
        <translation>Kartieren</translation>
    </message>
    <message>
        <source>Last result</source>
        <translation>Letztes Ergebnis</translation>
    </message>
    <message>
        <source>QGIS could not open the result {file}.</source>
        <translation>QGIS konnte das Ergebnis {file} nicht öffnen.</translation>
    </message>
    <message>
        <source>NVIDIA GPU (CUDA 13.0)</source>
        <translation>NVIDIA-GPU (CUDA 13.0)</translation>
    </message>
    <message>
        <source>NVIDIA GPU, older card or driver (CUDA 12.6)</source>
        <translation>NVIDIA-GPU, ältere Karte oder älterer Treiber (CUDA 12.6)</translation>
    </message>
    <message>
        <source>Apple GPU and CPU</source>
        <translation>Apple-GPU und CPU</translation>
    </message>
    <message>
        <source>CPU</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>CPU and NVIDIA GPU, from PyPI alone</source>
        <translation>CPU und NVIDIA-GPU, allein von PyPI</translation>
    </message>
    <message>
        <source>The folder&apos;s path is too long for Windows: it has {length} letters, {most} are possible.</source>
        <translation>Der Pfad des Ordners ist zu lang für Windows: er hat {length} Zeichen, {most} sind möglich.</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be written to.</source>
        <translation>In den Ordner {folder} kann nicht geschrieben werden.</translation>
    </message>
    <message>
        <source>The disk of {folder} has {free:.1f} GB free; {needed:.1f} GB are needed during the set-up.</source>
        <translation>Auf dem Datenträger von {folder} sind {free:.1f} GB frei; beim Einrichten werden {needed:.1f} GB gebraucht.</translation>
    </message>
    <message>
        <source>The inputs do not fit together</source>
        <translation>Die Eingaben passen nicht zusammen</translation>
    </message>
    <message>
        <source>Plugin and backend are of different versions</source>
        <translation>Plugin und Backend haben verschiedene Versionen</translation>
    </message>
    <message>
        <source>Raster not found</source>
        <translation>Raster nicht gefunden</translation>
    </message>
    <message>
        <source>Not a raster file</source>
        <translation>Keine Rasterdatei</translation>
    </message>
    <message>
        <source>Raster cannot be read</source>
        <translation>Raster kann nicht gelesen werden</translation>
    </message>
    <message>
        <source>Complex-valued raster</source>
        <translation>Raster mit komplexen Werten</translation>
    </message>
    <message>
        <source>Raster without valid pixels</source>
        <translation>Raster ohne gültige Pixel</translation>
    </message>
    <message>
        <source>Raster without coordinate system</source>
        <translation>Raster ohne Koordinatensystem</translation>
    </message>
    <message>
        <source>Pixels too coarse for the model</source>
        <translation>Pixel zu grob für das Modell</translation>
    </message>
    <message>
        <source>Rasters do not overlap</source>
        <translation>Raster überlappen sich nicht</translation>
    </message>
    <message>
        <source>A band is missing</source>
        <translation>Ein Band fehlt</translation>
    </message>
    <message>
        <source>A band is used twice</source>
        <translation>Ein Band ist doppelt verwendet</translation>
    </message>
    <message>
        <source>VV and VH look swapped</source>
        <translation>VV und VH scheinen vertauscht</translation>
    </message>
    <message>
        <source>Unit of the values not certain</source>
        <translation>Einheit der Werte nicht sicher</translation>
    </message>
    <message>
        <source>Calibration constant missing</source>
        <translation>Kalibrierkonstante fehlt</translation>
    </message>
    <message>
        <source>Extent outside the raster</source>
        <translation>Ausschnitt außerhalb des Rasters</translation>
    </message>
    <message>
        <source>Mask cannot be read</source>
        <translation>Maske kann nicht gelesen werden</translation>
    </message>
    <message>
        <source>Mask outside the raster</source>
        <translation>Maske außerhalb des Rasters</translation>
    </message>
    <message>
        <source>Samples cannot be read</source>
        <translation>Stichprobe kann nicht gelesen werden</translation>
    </message>
    <message>
        <source>Samples outside the raster</source>
        <translation>Stichprobe außerhalb des Rasters</translation>
    </message>
    <message>
        <source>Samples cannot be used</source>
        <translation>Stichprobe kann nicht verwendet werden</translation>
    </message>
    <message>
        <source>Not a class raster</source>
        <translation>Kein Klassenraster</translation>
    </message>
    <message>
        <source>Classifier file cannot be used</source>
        <translation>Klassifikatordatei kann nicht verwendet werden</translation>
    </message>
    <message>
        <source>Classifier made with another model</source>
        <translation>Klassifikator wurde mit einem anderen Modell erstellt</translation>
    </message>
    <message>
        <source>Output folder missing</source>
        <translation>Ausgabeordner fehlt</translation>
    </message>
    <message>
        <source>Output folder cannot be written to</source>
        <translation>In den Ausgabeordner kann nicht geschrieben werden</translation>
    </message>
    <message>
        <source>Output exists already</source>
        <translation>Ausgabe ist schon vorhanden</translation>
    </message>
    <message>
        <source>Output is also an input</source>
        <translation>Ausgabe ist zugleich Eingabe</translation>
    </message>
    <message>
        <source>Output cannot be made</source>
        <translation>Ausgabe kann nicht erzeugt werden</translation>
    </message>
    <message>
        <source>Disk full</source>
        <translation>Datenträger voll</translation>
    </message>
    <message>
        <source>Model file not found</source>
        <translation>Modelldatei nicht gefunden</translation>
    </message>
    <message>
        <source>Model file incomplete</source>
        <translation>Modelldatei unvollständig</translation>
    </message>
    <message>
        <source>Model file damaged</source>
        <translation>Modelldatei beschädigt</translation>
    </message>
    <message>
        <source>Not a model file</source>
        <translation>Keine Modelldatei</translation>
    </message>
    <message>
        <source>Model card cannot be used</source>
        <translation>Modellkarte kann nicht verwendet werden</translation>
    </message>
    <message>
        <source>Model made by a newer version</source>
        <translation>Modell stammt von einer neueren Version</translation>
    </message>
    <message>
        <source>Model weights do not fit their card</source>
        <translation>Gewichte des Modells passen nicht zu seiner Karte</translation>
    </message>
    <message>
        <source>Model weights are not numbers</source>
        <translation>Gewichte des Modells sind keine Zahlen</translation>
    </message>
    <message>
        <source>Model gave values that are not numbers</source>
        <translation>Modell lieferte Werte, die keine Zahlen sind</translation>
    </message>
    <message>
        <source>Device not available</source>
        <translation>Gerät nicht verfügbar</translation>
    </message>
    <message>
        <source>Out of memory</source>
        <translation>Zu wenig Arbeitsspeicher</translation>
    </message>
    <message>
        <source>Python for the backend not found</source>
        <translation>Python für das Backend nicht gefunden</translation>
    </message>
    <message>
        <source>Python cannot run the backend</source>
        <translation>Python kann das Backend nicht ausführen</translation>
    </message>
    <message>
        <source>The backend died</source>
        <translation>Das Backend ist abgestürzt</translation>
    </message>
    <message>
        <source>Cancelled</source>
        <translation>Abgebrochen</translation>
    </message>
    <message>
        <source>Unexpected error in the backend</source>
        <translation>Unerwarteter Fehler im Backend</translation>
    </message>
    <message>
        <source>Choose it under “Unit of the pixel values”.</source>
        <translation>Unter „Einheit der Pixelwerte“ wählen.</translation>
    </message>
    <message>
        <source>Enter it under “Calibration constant (dB)”, or calibrate the scene first.</source>
        <translation>Unter „Kalibrierkonstante (dB)“ eintragen oder die Szene vorher kalibrieren.</translation>
    </message>
    <message>
        <source>Give the file a coordinate system, or enter its “Pixel spacing (m)” to use it as it is.</source>
        <translation>Der Datei ein Koordinatensystem geben oder ihren „Pixelabstand (m)“ eintragen, um sie zu verwenden, wie sie ist.</translation>
    </message>
    <message>
        <source>Choose the bands, add the second raster, or name them under “Bands by role”.</source>
        <translation>Die Bänder wählen, das zweite Raster hinzufügen oder sie unter „Bänder nach Rolle“ nennen.</translation>
    </message>
    <message>
        <source>Choose another band for one of them.</source>
        <translation>Für eines von beiden ein anderes Band wählen.</translation>
    </message>
    <message>
        <source>Choose an extent that touches the raster.</source>
        <translation>Einen Ausschnitt wählen, der das Raster berührt.</translation>
    </message>
    <message>
        <source>Choose a mask that touches the raster.</source>
        <translation>Eine Maske wählen, die das Raster berührt.</translation>
    </message>
    <message>
        <source>Set the device to auto or cpu.</source>
        <translation>Das Gerät auf auto oder cpu stellen.</translation>
    </message>
    <message>
        <source>Made by SARdine from {scene} with the model {model}.</source>
        <translation>Von SARdine aus {scene} mit dem Modell {model} erzeugt.</translation>
    </message>
    <message>
        <source>The model was trained on {what}.</source>
        <translation>Das Modell wurde trainiert mit: {what}.</translation>
    </message>
    <message>
        <source>Model: {licence}</source>
        <translation>Modell: {licence}</translation>
    </message>
    <message>
        <source>Model {model}, SHA-256 of its weights {hash}</source>
        <translation>Modell {model}, SHA-256 seiner Gewichte {hash}</translation>
    </message>
    <message>
        <source>SARdine panel</source>
        <translation>SARdine-Bedienfeld</translation>
    </message>
    <message>
        <source>Land cover from Sentinel-1…</source>
        <translation>Landbedeckung aus Sentinel-1…</translation>
    </message>
    <message>
        <source>Pixels</source>
        <translation>Pixel</translation>
    </message>
    <message>
        <source>{spacing:g} m, patches of {patch} pixels</source>
        <translation>{spacing:g} m, Patches von {patch} Pixeln</translation>
    </message>
    <message>
        <source>Trained on</source>
        <translation>Trainiert mit</translation>
    </message>
    <message>
        <source>Licence</source>
        <translation>Lizenz</translation>
    </message>
    <message>
        <source>not told</source>
        <translation>nicht angegeben</translation>
    </message>
    <message>
        <source>{count} simulated scenes</source>
        <translation>{count} simulierte Szenen</translation>
    </message>
    <message>
        <source>simulated scenes</source>
        <translation>simulierte Szenen</translation>
    </message>
    <message>
        <source>{simulated} simulated scenes and scenes of {real} real places</source>
        <translation>{simulated} simulierte Szenen und Szenen von {real} echten Orten</translation>
    </message>
    <message>
        <source>{what} and no real one: a demonstration, not for use</source>
        <translation>{what} und keine echte: zur Vorführung, nicht zur Verwendung</translation>
    </message>
    <message>
        <source>{count} scenes</source>
        <translation>{count} Szenen</translation>
    </message>
    <message>
        <source>data that the card does not tell</source>
        <translation>Daten, die die Karte nicht nennt</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Erweitert</translation>
    </message>
    <message>
        <source>Share of a window that it has in common with the next. More is smoother and slower.</source>
        <translation>Anteil eines Fensters, den es mit dem nächsten gemeinsam hat. Mehr ist glatter und langsamer.</translation>
    </message>
    <message>
        <source>auto takes a graphics card where there is one; cuda:1 names one of several.</source>
        <translation>auto nimmt eine Grafikkarte, wo es eine gibt; cuda:1 nennt eine von mehreren.</translation>
    </message>
    <message>
        <source>as the file says</source>
        <translation>wie in der Datei</translation>
    </message>
    <message>
        <source>Of a raster without coordinate system, which is then used as it is.</source>
        <translation>Eines Rasters ohne Koordinatensystem, das dann verwendet wird, wie es ist.</translation>
    </message>
    <message>
        <source>Take pixels that are too coarse</source>
        <translation>Zu grobe Pixel annehmen</translation>
    </message>
    <message>
        <source>Overlap of windows</source>
        <translation>Überlappung der Fenster</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Pixel spacing (m)</source>
        <translation>Pixelabstand (m)</translation>
    </message>
    <message>
        <source>Whole layer</source>
        <translation>Ganzer Layer</translation>
    </message>
    <message>
        <source>Visible map</source>
        <translation>Sichtbare Karte</translation>
    </message>
    <message>
        <source>Drawn rectangle</source>
        <translation>Gezeichnetes Rechteck</translation>
    </message>
    <message>
        <source>Inside polygons</source>
        <translation>Innerhalb von Polygonen</translation>
    </message>
    <message>
        <source>Draw on the map</source>
        <translation>Auf der Karte zeichnen</translation>
    </message>
    <message>
        <source>Selected features only</source>
        <translation>Nur gewählte Objekte</translation>
    </message>
    <message>
        <source>No rectangle is drawn yet: press “Draw on the map” and drag over it.</source>
        <translation>Noch ist kein Rechteck gezeichnet: auf „Auf der Karte zeichnen“ klicken und es aufziehen.</translation>
    </message>
    <message>
        <source>The project has no polygon layer: load or draw one, or choose another area.</source>
        <translation>Das Projekt hat keinen Polygonlayer: einen laden oder zeichnen, oder ein anderes Gebiet wählen.</translation>
    </message>
    <message>
        <source>The chosen area lies outside the scene: move the map or choose another area.</source>
        <translation>Das gewählte Gebiet liegt außerhalb der Szene: die Karte verschieben oder ein anderes Gebiet wählen.</translation>
    </message>
    <message>
        <source>{area} km²</source>
        <translation>{area} km²</translation>
    </message>
    <message>
        <source>not entered</source>
        <translation>nicht eingetragen</translation>
    </message>
    <message>
        <source>Calibration constant (dB)</source>
        <translation>Kalibrierkonstante (dB)</translation>
    </message>
    <message>
        <source>The model needs {role} too: load {file}, which lies beside the scene.</source>
        <translation>Das Modell braucht auch {role}: {file} laden, das neben der Szene liegt.</translation>
    </message>
    <message>
        <source>No band was given for {absent}: the map is made from {used} alone and is less reliable.</source>
        <translation>Für {absent} wurde kein Band angegeben: Die Karte entsteht allein aus {used} und ist weniger verlässlich.</translation>
    </message>
    <message>
        <source>Add {file}, which lies beside the scene.</source>
        <translation>{file} hinzufügen, das neben der Szene liegt.</translation>
    </message>
    <message>
        <source>Choose layer and band of at least one row.</source>
        <translation>In mindestens einer Zeile Layer und Band wählen.</translation>
    </message>
    <message>
        <source>One band is chosen twice: choose another.</source>
        <translation>Ein Band ist zweimal gewählt: ein anderes wählen.</translation>
    </message>
    <message>
        <source>Digital numbers need their calibration constant: enter it, or calibrate the scene first.</source>
        <translation>Digitale Werte brauchen ihre Kalibrierkonstante: sie eintragen oder die Szene vorher kalibrieren.</translation>
    </message>
    <message>
        <source>choose</source>
        <translation>wählen</translation>
    </message>
    <message>
        <source>Unit</source>
        <translation>Einheit</translation>
    </message>
    <message>
        <source>Unit of the pixel values</source>
        <translation>Einheit der Pixelwerte</translation>
    </message>
    <message>
        <source>Detect; ask where not certain</source>
        <translation>Erkennen; fragen, wo unsicher</translation>
    </message>
    <message>
        <source>Decibels (dB)</source>
        <translation>Dezibel (dB)</translation>
    </message>
    <message>
        <source>Linear power</source>
        <translation>Lineare Leistung</translation>
    </message>
    <message>
        <source>Amplitude</source>
        <translation>Amplitude</translation>
    </message>
    <message>
        <source>Digital numbers of a GRD product</source>
        <translation>Digitale Werte eines GRD-Produkts</translation>
    </message>
    <message>
        <source>Grey levels of unknown scale</source>
        <translation>Grauwerte unbekannter Skala</translation>
    </message>
    <message>
        <source>Check the scene</source>
        <translation>Szene prüfen</translation>
    </message>
    <message>
        <source>Unit and its evidence, grid, expected time and memory, without mapping anything.</source>
        <translation>Einheit und woran sie erkannt wurde, Gitter, erwartete Zeit und Speicher, ohne etwas zu kartieren.</translation>
    </message>
    <message>
        <source>Checking…</source>
        <translation>Wird geprüft…</translation>
    </message>
    <message>
        <source>The scene&apos;s own pixels are used as they are.</source>
        <translation>Die Pixel der Szene werden verwendet, wie sie sind.</translation>
    </message>
    <message>
        <source>{height} × {width} pixels, {share:.0f}% valid</source>
        <translation>{height} × {width} Pixel, {share:.0f}% gültig</translation>
    </message>
    <message>
        <source>Choose a model file</source>
        <translation>Modelldatei wählen</translation>
    </message>
    <message>
        <source>Model card</source>
        <translation>Modellkarte</translation>
    </message>
    <message>
        <source>SARdine models (*.safetensors)</source>
        <translation>SARdine-Modelle (*.safetensors)</translation>
    </message>
    <message>
        <source>No model came with the plugin: choose a model file.</source>
        <translation>Mit dem Plugin kam kein Modell: eine Modelldatei wählen.</translation>
    </message>
    <message>
        <source>Trained on {what}.</source>
        <translation>Trainiert mit: {what}.</translation>
    </message>
    <message>
        <source>Temporary files</source>
        <translation>Temporäre Dateien</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Folder for the results</source>
        <translation>Ordner für die Ergebnisse</translation>
    </message>
    <message>
        <source>The model has no classes: it gives attention alone.</source>
        <translation>Das Modell hat keine Klassen: es liefert allein die Aufmerksamkeit.</translation>
    </message>
    <message>
        <source>No result is ticked: tick at least one.</source>
        <translation>Kein Ergebnis ist angekreuzt: mindestens eines ankreuzen.</translation>
    </message>
    <message>
        <source>The folder for the results does not exist: choose another.</source>
        <translation>Den Ordner für die Ergebnisse gibt es nicht: einen anderen wählen.</translation>
    </message>
    <message>
        <source>No run has ended yet.</source>
        <translation>Noch ist kein Lauf zu Ende.</translation>
    </message>
    <message>
        <source>Class</source>
        <translation>Klasse</translation>
    </message>
    <message>
        <source>Area (ha)</source>
        <translation>Fläche (ha)</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Save as CSV…</source>
        <translation>Als CSV speichern…</translation>
    </message>
    <message>
        <source>Save the areas</source>
        <translation>Flächen speichern</translation>
    </message>
    <message>
        <source>CSV files (*.csv)</source>
        <translation>CSV-Dateien (*.csv)</translation>
    </message>
    <message>
        <source>The file could not be written ({reason}): choose another place.</source>
        <translation>Die Datei konnte nicht geschrieben werden ({reason}): einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>Copy report</source>
        <translation>Bericht kopieren</translation>
    </message>
    <message>
        <source>Versions, settings and log for an issue; paths are shortened.</source>
        <translation>Versionen, Einstellungen und Protokoll für eine Fehlermeldung; Pfade sind gekürzt.</translation>
    </message>
    <message>
        <source>Nothing of {run} was kept.</source>
        <translation>Von {run} wurde nichts behalten.</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Ausführen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Forget waiting runs</source>
        <translation>Wartende Läufe verwerfen</translation>
    </message>
    <message>
        <source>{scene}: starting</source>
        <translation>{scene}: wird gestartet</translation>
    </message>
    <message>
        <source>Cancelling…</source>
        <translation>Wird abgebrochen…</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>Einreihen</translation>
    </message>
    <message>
        <source>Runs after the one that is running.</source>
        <translation>Läuft nach dem, der gerade läuft.</translation>
    </message>
    <message>
        <source>Forget {count} waiting</source>
        <translation>{count} wartende verwerfen</translation>
    </message>
    <message>
        <source>Accuracy of a class map</source>
        <translation>Genauigkeit einer Klassenkarte</translation>
    </message>
    <message>
        <source>Compares a class raster with reference points, polygons or a raster, and estimates areas with intervals.</source>
        <translation>Vergleicht ein Klassenraster mit Referenzpunkten, -polygonen oder einem Raster und schätzt Flächen mit Intervallen.</translation>
    </message>
    <message>
        <source>accuracy,confusion matrix,error matrix,validation,area estimation,olofsson,f1,land cover</source>
        <translation>genauigkeit,konfusionsmatrix,fehlermatrix,validierung,flächenschätzung,olofsson,f1,landbedeckung</translation>
    </message>
    <message>
        <source>Says how well a class map, whoever made it, agrees with a reference: confusion matrix, overall, user&apos;s and producer&apos;s accuracy, and F1.</source>
        <translation>Sagt, wie gut eine Klassenkarte, von wem auch immer, mit einer Referenz übereinstimmt: Konfusionsmatrix, Gesamt-, Nutzer- und Produzentengenauigkeit und F1.</translation>
    </message>
    <message>
        <source>From reference points that were drawn at random within each class of the map (&lt;i&gt;Stratified random sample of points&lt;/i&gt; draws them) follow also the true area of each class, adjusted for the map&apos;s bias, with 95% intervals (Olofsson et al. 2014).</source>
        <translation>Aus Referenzpunkten, die innerhalb jeder Klasse der Karte zufällig gezogen wurden (&lt;i&gt;Geschichtete Zufallsstichprobe von Punkten&lt;/i&gt; zieht sie), folgt auch die wahre Fläche jeder Klasse, um die Fehler der Karte bereinigt, mit 95-%-Intervallen (Olofsson u. a. 2014).</translation>
    </message>
    <message>
        <source>Polygons and rasters are counted pixel by pixel; they are no random sample, and no interval follows from them.</source>
        <translation>Polygone und Raster werden Pixel für Pixel gezählt; sie sind keine Zufallsstichprobe, und kein Intervall folgt aus ihnen.</translation>
    </message>
    <message>
        <source>The reference&apos;s field holds class codes, or names as the map&apos;s layer shows them.</source>
        <translation>Das Feld der Referenz enthält Klassencodes oder Namen, wie sie der Layer der Karte zeigt.</translation>
    </message>
    <message>
        <source>Class raster</source>
        <translation>Klassenraster</translation>
    </message>
    <message>
        <source>A raster of whole class codes.</source>
        <translation>Ein Raster aus ganzzahligen Klassencodes.</translation>
    </message>
    <message>
        <source>Band</source>
        <translation>Band</translation>
    </message>
    <message>
        <source>The band with the class codes.</source>
        <translation>Das Band mit den Klassencodes.</translation>
    </message>
    <message>
        <source>Reference points or polygons</source>
        <translation>Referenzpunkte oder -polygone</translation>
    </message>
    <message>
        <source>A class is read off each. Points without one are left out and counted.</source>
        <translation>Von jedem wird eine Klasse abgelesen. Punkte ohne Klasse werden ausgelassen und gezählt.</translation>
    </message>
    <message>
        <source>Class field</source>
        <translation>Klassenfeld</translation>
    </message>
    <message>
        <source>Holds the code, or the name, of a class of the map.</source>
        <translation>Enthält den Code oder den Namen einer Klasse der Karte.</translation>
    </message>
    <message>
        <source>Reference raster</source>
        <translation>Referenzraster</translation>
    </message>
    <message>
        <source>Instead of points or polygons: a class raster with the same codes, on any grid.</source>
        <translation>Statt Punkten oder Polygonen: ein Klassenraster mit denselben Codes, auf beliebigem Gitter.</translation>
    </message>
    <message>
        <source>How the points were drawn</source>
        <translation>Wie die Punkte gezogen wurden</translation>
    </message>
    <message>
        <source>stratified: at random within each class of the map; auto takes points for such a sample. random: over the whole map. none: otherwise; no intervals and areas follow.</source>
        <translation>stratified: zufällig innerhalb jeder Klasse der Karte; auto hält Punkte für eine solche Stichprobe. random: über die ganze Karte. none: anders; dann folgen keine Intervalle und Flächen.</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Web page (*.html)</source>
        <translation>Webseite (*.html)</translation>
    </message>
    <message>
        <source>Matrix, figures and notes as a page.</source>
        <translation>Matrix, Kennzahlen und Hinweise als Seite.</translation>
    </message>
    <message>
        <source>Table</source>
        <translation>Tabelle</translation>
    </message>
    <message>
        <source>Comma-separated values (*.csv)</source>
        <translation>Kommagetrennte Werte (*.csv)</translation>
    </message>
    <message>
        <source>Matrix and figures for a spreadsheet.</source>
        <translation>Matrix und Kennzahlen für eine Tabellenkalkulation.</translation>
    </message>
    <message>
        <source>Overall accuracy (0 to 1)</source>
        <translation>Gesamtgenauigkeit (0 bis 1)</translation>
    </message>
    <message>
        <source>Half its 95% interval</source>
        <translation>Die Hälfte ihres 95-%-Intervalls</translation>
    </message>
    <message>
        <source>Points or pixels compared</source>
        <translation>Verglichene Punkte oder Pixel</translation>
    </message>
    <message>
        <source>Figures (JSON)</source>
        <translation>Kennzahlen (JSON)</translation>
    </message>
    <message>
        <source>Choose one reference: points or polygons, or a raster.</source>
        <translation>Eine Referenz wählen: Punkte oder Polygone, oder ein Raster.</translation>
    </message>
    <message>
        <source>Choose the field that holds the class.</source>
        <translation>Das Feld wählen, das die Klasse enthält.</translation>
    </message>
    <message>
        <source>Attention from Sentinel-1</source>
        <translation>Aufmerksamkeit aus Sentinel-1</translation>
    </message>
    <message>
        <source>Shows where a Vision Transformer looks in a Sentinel-1 radar scene.</source>
        <translation>Zeigt, wohin ein Vision Transformer in einer Sentinel-1-Radarszene schaut.</translation>
    </message>
    <message>
        <source>attention</source>
        <translation>aufmerksamkeit</translation>
    </message>
    <message>
        <source>saliency</source>
        <translation>salienz</translation>
    </message>
    <message>
        <source>explain</source>
        <translation>erklären</translation>
    </message>
    <message>
        <source>Any model file of SARdine will do, also an encoder that was pre-trained without classes.</source>
        <translation>Jede Modelldatei von SARdine ist geeignet, auch ein Encoder, der ohne Klassen vortrainiert wurde.</translation>
    </message>
    <message>
        <source>The raster may hold dB, linear power or amplitude, in any coordinate system. The unit is detected and told with its evidence; where it is not certain the run stops and asks.</source>
        <translation>Das Raster darf dB, lineare Leistung oder Amplitude enthalten, in jedem Koordinatensystem. Die Einheit wird erkannt und mit ihrer Begründung genannt; wo sie nicht sicher ist, hält der Lauf an und fragt.</translation>
    </message>
    <message>
        <source>A result is written in full or not at all: a run that is cancelled or fails leaves nothing behind.</source>
        <translation>Ein Ergebnis wird ganz geschrieben oder gar nicht: ein Lauf, der abgebrochen wird oder scheitert, lässt nichts zurück.</translation>
    </message>
    <message>
        <source>Backend: {python}</source>
        <translation>Backend: {python}</translation>
    </message>
    <message>
        <source>What the backend printed:</source>
        <translation>Was das Backend ausgab:</translation>
    </message>
    <message>
        <source>An unfinished file could not be removed: {file}</source>
        <translation>Eine unfertige Datei konnte nicht entfernt werden: {file}</translation>
    </message>
    <message>
        <source>The backend answered another request.</source>
        <translation>Das Backend hat auf eine andere Anfrage geantwortet.</translation>
    </message>
    <message>
        <source>{count} geometries were not valid and were mended.</source>
        <translation>{count} Geometrien waren ungültig und wurden repariert.</translation>
    </message>
    <message>
        <source>The algorithm was not prepared.</source>
        <translation>Der Algorithmus wurde nicht vorbereitet.</translation>
    </message>
    <message>
        <source>done</source>
        <translation>fertig</translation>
    </message>
    <message>
        <source>there already</source>
        <translation>schon vorhanden</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>gescheitert</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>abgebrochen</translation>
    </message>
    <message>
        <source>not begun</source>
        <translation>nicht begonnen</translation>
    </message>
    <message>
        <source>Time (s)</source>
        <translation>Zeit (s)</translation>
    </message>
    <message>
        <source>The model was trained on simulated scenes only: its map is a demonstration.</source>
        <translation>Das Modell wurde nur mit simulierten Szenen trainiert: seine Karte dient der Vorführung.</translation>
    </message>
    <message>
        <source>Its results would have the same names as those of {source}: rename it, or map it apart.</source>
        <translation>Ihre Ergebnisse hätten dieselben Namen wie die von {source}: sie umbenennen oder getrennt kartieren.</translation>
    </message>
    <message>
        <source>{file} could not be written ({reason}).</source>
        <translation>{file} konnte nicht geschrieben werden ({reason}).</translation>
    </message>
    <message>
        <source>sentinel-1,radar,sar,vision transformer,dino,deep learning</source>
        <translation>sentinel-1,radar,sar,vision transformer,dino,deep learning</translation>
    </message>
    <message>
        <source>Model {model} on {device} ({precision})</source>
        <translation>Modell {model} auf {device} ({precision})</translation>
    </message>
    <message>
        <source>Starting the backend</source>
        <translation>Backend wird gestartet</translation>
    </message>
    <message>
        <source>Loading the model</source>
        <translation>Modell wird geladen</translation>
    </message>
    <message>
        <source>Opening the scene</source>
        <translation>Szene wird geöffnet</translation>
    </message>
    <message>
        <source>Mapping</source>
        <translation>Kartierung</translation>
    </message>
    <message>
        <source>Finishing the files</source>
        <translation>Dateien werden fertiggestellt</translation>
    </message>
    <message>
        <source>Counting the classes</source>
        <translation>Klassen werden gezählt</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>Vergleich</translation>
    </message>
    <message>
        <source>Drawing points</source>
        <translation>Punkte werden gezogen</translation>
    </message>
    <message>
        <source>{rate:.2f} megapixels/s</source>
        <translation>{rate:.2f} Megapixel/s</translation>
    </message>
    <message>
        <source>{time} left</source>
        <translation>noch {time}</translation>
    </message>
    <message>
        <source>Land cover from Sentinel-1</source>
        <translation>Landbedeckung aus Sentinel-1</translation>
    </message>
    <message>
        <source>Maps land cover, its confidence and the model&apos;s attention from a Sentinel-1 radar scene.</source>
        <translation>Kartiert Landbedeckung, ihre Konfidenz und die Aufmerksamkeit des Modells aus einer Sentinel-1-Radarszene.</translation>
    </message>
    <message>
        <source>land cover</source>
        <translation>landbedeckung</translation>
    </message>
    <message>
        <source>classification</source>
        <translation>klassifikation</translation>
    </message>
    <message>
        <source>Maps land cover from Sentinel-1 radar (VV and VH) with a Vision Transformer, and shows where the model looked.</source>
        <translation>Kartiert mit einem Vision Transformer Landbedeckung aus Sentinel-1-Radar (VV und VH) und zeigt, wohin das Modell geschaut hat.</translation>
    </message>
    <message>
        <source>The work is done by a Python process of its own, which needs torch, timm and rasterio: choose its interpreter under Raster › SARdine, or set SARDINE_PYTHON.</source>
        <translation>Die Arbeit macht ein eigener Python-Prozess, der torch, timm und rasterio braucht: seinen Interpreter unter Raster › SARdine wählen oder SARDINE_PYTHON setzen.</translation>
    </message>
    <message>
        <source>The area of each class in hectares and percent.</source>
        <translation>Die Fläche jeder Klasse in Hektar und Prozent.</translation>
    </message>
    <message>
        <source>Class areas</source>
        <translation>Klassenflächen</translation>
    </message>
    <message>
        <source>Mean confidence (%)</source>
        <translation>Mittlere Konfidenz (%)</translation>
    </message>
    <message>
        <source>Land cover of many Sentinel-1 scenes</source>
        <translation>Landbedeckung vieler Sentinel-1-Szenen</translation>
    </message>
    <message>
        <source>Maps land cover of each Sentinel-1 radar scene in a folder or list, and reports on all of them.</source>
        <translation>Kartiert die Landbedeckung jeder Sentinel-1-Radarszene eines Ordners oder einer Liste und berichtet über alle.</translation>
    </message>
    <message>
        <source>batch</source>
        <translation>stapel</translation>
    </message>
    <message>
        <source>folder</source>
        <translation>ordner</translation>
    </message>
    <message>
        <source>Maps scene after scene with a Vision Transformer, all with the same settings, into one folder.</source>
        <translation>Kartiert mit einem Vision Transformer Szene um Szene, alle mit denselben Einstellungen, in einen Ordner.</translation>
    </message>
    <message>
        <source>Two files of a folder whose names differ in VV and VH alone are one scene.</source>
        <translation>Zwei Dateien eines Ordners, deren Namen sich nur in VV und VH unterscheiden, sind eine Szene.</translation>
    </message>
    <message>
        <source>Results that exist are kept and only what is missing is made, so that a batch that was stopped can go on.</source>
        <translation>Vorhandene Ergebnisse werden behalten, und nur was fehlt, wird erzeugt: so kann ein angehaltener Stapel weitergehen.</translation>
    </message>
    <message>
        <source>A scene that fails is reported and does not stop the others. Cancel keeps those that are done.</source>
        <translation>Eine Szene, die scheitert, wird gemeldet und hält die anderen nicht auf. Nach einem Abbruch bleiben die fertigen.</translation>
    </message>
    <message>
        <source>The report is a page and a table with a row a scene: state, area, confidence, time, hectares of each class.</source>
        <translation>Der Bericht ist eine Seite und eine Tabelle mit einer Zeile je Szene: Stand, Fläche, Konfidenz, Zeit, Hektar jeder Klasse.</translation>
    </message>
    <message>
        <source>Scenes</source>
        <translation>Szenen</translation>
    </message>
    <message>
        <source>Raster layers or files with VV and VH, or with one of them each.</source>
        <translation>Rasterlayer oder Dateien mit VV und VH oder mit je einem davon.</translation>
    </message>
    <message>
        <source>Folder of scenes</source>
        <translation>Ordner mit Szenen</translation>
    </message>
    <message>
        <source>Its raster files are added to the list above.</source>
        <translation>Seine Rasterdateien kommen zur Liste oben hinzu.</translation>
    </message>
    <message>
        <source>File names</source>
        <translation>Dateinamen</translation>
    </message>
    <message>
        <source>Which files of the folder: patterns with * and ?, separated by semicolons.</source>
        <translation>Welche Dateien des Ordners: Muster mit * und ?, durch Semikolons getrennt.</translation>
    </message>
    <message>
        <source>Subfolders too</source>
        <translation>Auch Unterordner</translation>
    </message>
    <message>
        <source>Results of a subfolder go into one of the same name.</source>
        <translation>Ergebnisse eines Unterordners kommen in einen mit demselben Namen.</translation>
    </message>
    <message>
        <source>The rasters to make of each scene.</source>
        <translation>Die Raster, die von jeder Szene erzeugt werden.</translation>
    </message>
    <message>
        <source>Make anew what exists</source>
        <translation>Vorhandenes neu erzeugen</translation>
    </message>
    <message>
        <source>Otherwise results that exist are kept, and only what is missing is made.</source>
        <translation>Sonst werden vorhandene Ergebnisse behalten, und nur was fehlt, wird erzeugt.</translation>
    </message>
    <message>
        <source>Results are called &lt;scene&gt;_landcover.tif and so on.</source>
        <translation>Ergebnisse heißen &lt;Szene&gt;_landcover.tif und so fort.</translation>
    </message>
    <message>
        <source>HTML files (*.html)</source>
        <translation>HTML-Dateien (*.html)</translation>
    </message>
    <message>
        <source>A page with a row a scene, to read or print.</source>
        <translation>Eine Seite mit einer Zeile je Szene, zum Lesen oder Drucken.</translation>
    </message>
    <message>
        <source>Report as table</source>
        <translation>Bericht als Tabelle</translation>
    </message>
    <message>
        <source>The same as CSV.</source>
        <translation>Dasselbe als CSV.</translation>
    </message>
    <message>
        <source>Scenes done</source>
        <translation>Szenen fertig</translation>
    </message>
    <message>
        <source>Scenes there already</source>
        <translation>Szenen schon vorhanden</translation>
    </message>
    <message>
        <source>Scenes failed</source>
        <translation>Szenen gescheitert</translation>
    </message>
    <message>
        <source>Report (JSON)</source>
        <translation>Bericht (JSON)</translation>
    </message>
    <message>
        <source>No scene is named: choose layers or files, or a folder.</source>
        <translation>Keine Szene ist genannt: Layer oder Dateien oder einen Ordner wählen.</translation>
    </message>
    <message>
        <source>No result is asked for: choose at least one.</source>
        <translation>Kein Ergebnis ist verlangt: mindestens eines wählen.</translation>
    </message>
    <message>
        <source>No scene was found: choose another folder or other file names.</source>
        <translation>Keine Szene gefunden: einen anderen Ordner oder andere Dateinamen wählen.</translation>
    </message>
    <message>
        <source>{done} scenes done, {skipped} there already, {failed} failed.</source>
        <translation>{done} Szenen fertig, {skipped} schon vorhanden, {failed} gescheitert.</translation>
    </message>
    <message>
        <source>Cancelled. {told} What is done is kept.</source>
        <translation>Abgebrochen. {told} Was fertig ist, bleibt.</translation>
    </message>
    <message>
        <source>No scene could be mapped. {reason}</source>
        <translation>Keine Szene konnte kartiert werden. {reason}</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be read ({reason}): choose another.</source>
        <translation>Der Ordner {folder} kann nicht gelesen werden ({reason}): einen anderen wählen.</translation>
    </message>
    <message>
        <source>Sentinel-1 raster</source>
        <translation>Sentinel-1-Raster</translation>
    </message>
    <message>
        <source>A raster file with VV and VH, or with one of them and the other below. Values in dB, power or amplitude.</source>
        <translation>Eine Rasterdatei mit VV und VH, oder mit einem davon und dem anderen unten. Werte in dB, Leistung oder Amplitude.</translation>
    </message>
    <message>
        <source>VV band</source>
        <translation>VV-Band</translation>
    </message>
    <message>
        <source>A band of the Sentinel-1 raster. With both left empty they are read off the band descriptions and file names.</source>
        <translation>Ein Band des Sentinel-1-Rasters. Bleiben beide leer, werden sie aus Bandbeschreibungen und Dateinamen gelesen.</translation>
    </message>
    <message>
        <source>VH band</source>
        <translation>VH-Band</translation>
    </message>
    <message>
        <source>A band of the second raster where there is one, else of the Sentinel-1 raster.</source>
        <translation>Ein Band des zweiten Rasters, wo es eines gibt, sonst des Sentinel-1-Rasters.</translation>
    </message>
    <message>
        <source>Second raster (VH in a file of its own)</source>
        <translation>Zweites Raster (VH in einer eigenen Datei)</translation>
    </message>
    <message>
        <source>It may have another grid or coordinate system: it is brought onto that of the first.</source>
        <translation>Es darf ein anderes Gitter oder Koordinatensystem haben: es wird auf das des ersten gebracht.</translation>
    </message>
    <message>
        <source>Extent</source>
        <translation>Ausschnitt</translation>
    </message>
    <message>
        <source>The part to map. Left empty: the whole raster.</source>
        <translation>Der Teil, der kartiert wird. Leer: das ganze Raster.</translation>
    </message>
    <message>
        <source>Mask</source>
        <translation>Maske</translation>
    </message>
    <message>
        <source>Outside these polygons the results hold no data.</source>
        <translation>Außerhalb dieser Polygone enthalten die Ergebnisse keine Daten.</translation>
    </message>
    <message>
        <source>Left empty: the model that comes with the plugin.</source>
        <translation>Leer: das Modell, das mit dem Plugin kommt.</translation>
    </message>
    <message>
        <source>auto detects the unit and says by what evidence; where it is not certain, the run stops and asks. dn: digital numbers of a GRD product, which need the calibration constant. scaled: grey levels of unknown scale.</source>
        <translation>auto erkennt die Einheit und sagt, woran; wo sie nicht sicher ist, hält der Lauf an und fragt. dn: digitale Werte eines GRD-Produkts, die die Kalibrierkonstante brauchen. scaled: Grauwerte unbekannter Skala.</translation>
    </message>
    <message>
        <source>auto takes a graphics card where there is one. Scripts may also name one of several: cuda:1.</source>
        <translation>auto nimmt eine Grafikkarte, wo es eine gibt. Skripte können auch eine von mehreren nennen: cuda:1.</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit der Zahlen</translation>
    </message>
    <message>
        <source>auto takes bf16 where the device computes faster in it. fp32 gives the same map on every device but for rounding.</source>
        <translation>auto nimmt bf16, wo das Gerät damit schneller rechnet. fp32 ergibt bis auf Rundung auf jedem Gerät dieselbe Karte.</translation>
    </message>
    <message>
        <source>Bands by role</source>
        <translation>Bänder nach Rolle</translation>
    </message>
    <message>
        <source>For models with other bands: ROLE=source:band, one a line or separated by semicolons. A source is a file, a layer&apos;s name, INPUT or INPUT_2. Overrides all other choices of bands.</source>
        <translation>Für Modelle mit anderen Bändern: ROLLE=Quelle:Band, eines je Zeile oder durch Semikolons getrennt. Eine Quelle ist eine Datei, der Name eines Layers, INPUT oder INPUT_2. Geht jeder anderen Wahl der Bänder vor.</translation>
    </message>
    <message>
        <source>For the unit dn alone: sigma nought in dB is 20 log10 of the number, minus this.</source>
        <translation>Nur für die Einheit dn: Sigma null in dB ist 20 log10 des Wertes, minus dies.</translation>
    </message>
    <message>
        <source>Of a raster without coordinate system, which is then used as it is; the results have none either.</source>
        <translation>Eines Rasters ohne Koordinatensystem, das dann verwendet wird, wie es ist; auch die Ergebnisse haben dann keines.</translation>
    </message>
    <message>
        <source>Maps a scene whose pixels are more than twice as coarse as the model&apos;s. Expect little of it.</source>
        <translation>Kartiert eine Szene, deren Pixel mehr als doppelt so grob sind wie die des Modells. Wenig davon erwarten.</translation>
    </message>
    <message>
        <source>Attention heads</source>
        <translation>Aufmerksamkeitsköpfe</translation>
    </message>
    <message>
        <source>all: a band with the mean over the heads, then one a head. mean: the mean alone, in a smaller file.</source>
        <translation>all: ein Band mit dem Mittel über die Köpfe, dann eines je Kopf. mean: nur das Mittel, in einer kleineren Datei.</translation>
    </message>
    <message>
        <source>Land cover</source>
        <translation>Landbedeckung</translation>
    </message>
    <message>
        <source>Confidence</source>
        <translation>Konfidenz</translation>
    </message>
    <message>
        <source>Class probabilities</source>
        <translation>Klassenwahrscheinlichkeiten</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>Aufmerksamkeit</translation>
    </message>
    <message>
        <source>Class codes; 0 is no data. Names and colours are in the file.</source>
        <translation>Klassencodes; 0 heißt keine Daten. Namen und Farben stehen in der Datei.</translation>
    </message>
    <message>
        <source>Probability of the class that was chosen, in percent; 255 is no data.</source>
        <translation>Wahrscheinlichkeit der gewählten Klasse, in Prozent; 255 heißt keine Daten.</translation>
    </message>
    <message>
        <source>One band a class; the file&apos;s scale turns its values into 0 to 1.</source>
        <translation>Ein Band je Klasse; die Skalierung der Datei macht aus ihren Werten 0 bis 1.</translation>
    </message>
    <message>
        <source>Where the model looked: mean and each head, one pixel a patch; 1 is as much as the average patch.</source>
        <translation>Wohin das Modell geschaut hat: Mittel und jeder Kopf, ein Pixel je Patch; 1 ist so viel wie beim durchschnittlichen Patch.</translation>
    </message>
    <message>
        <source>How the result came about and what it holds, as a page to read or print.</source>
        <translation>Wie das Ergebnis zustande kam und was es enthält, als Seite zum Lesen oder Drucken.</translation>
    </message>
    <message>
        <source>Summary</source>
        <translation>Zusammenfassung</translation>
    </message>
    <message>
        <source>Mapped area (km²)</source>
        <translation>Kartierte Fläche (km²)</translation>
    </message>
    <message>
        <source>Valid pixels (%)</source>
        <translation>Gültige Pixel (%)</translation>
    </message>
    <message>
        <source>Area of a pixel (m²)</source>
        <translation>Fläche eines Pixels (m²)</translation>
    </message>
    <message>
        <source>No result is asked for: choose a file for at least one of the rasters.</source>
        <translation>Kein Ergebnis ist verlangt: für mindestens eines der Raster eine Datei wählen.</translation>
    </message>
    <message>
        <source>Class areas by polygon (graphical model)</source>
        <translation>Klassenflächen je Polygon (grafisches Modell)</translation>
    </message>
    <message>
        <source>Maps land cover inside polygons and gives each polygon the area of each class.</source>
        <translation>Kartiert Landbedeckung innerhalb von Polygonen und gibt jedem Polygon die Fläche jeder Klasse.</translation>
    </message>
    <message>
        <source>sentinel-1,radar,land cover,zonal,histogram,area,example</source>
        <translation>sentinel-1,radar,landbedeckung,zonal,histogramm,fläche,beispiel</translation>
    </message>
    <message>
        <source>Maps land cover inside polygons, counts the pixels of each class in each of them, and turns these into hectares.</source>
        <translation>Kartiert Landbedeckung innerhalb von Polygonen, zählt in jedem die Pixel jeder Klasse und macht daraus Hektar.</translation>
    </message>
    <message>
        <source>An example of a graphical model with SARdine: open {file} in the model designer to change it.</source>
        <translation>Ein Beispiel für ein grafisches Modell mit SARdine: {file} in der Modellierung öffnen, um es zu ändern.</translation>
    </message>
    <message>
        <source>Stratified random sample of points</source>
        <translation>Geschichtete Zufallsstichprobe von Punkten</translation>
    </message>
    <message>
        <source>Draws random points in each class of a map, to be labelled for its accuracy.</source>
        <translation>Zieht in jeder Klasse einer Karte zufällige Punkte, die für ihre Genauigkeit zu beurteilen sind.</translation>
    </message>
    <message>
        <source>sampling,stratified,random points,accuracy,validation,reference,olofsson</source>
        <translation>stichprobe,geschichtet,zufallspunkte,genauigkeit,validierung,referenz,olofsson</translation>
    </message>
    <message>
        <source>Draws points at random within each class of a map, each at the centre of a pixel and none twice. Every class gets at least a certain number; the others share the rest by area.</source>
        <translation>Zieht innerhalb jeder Klasse einer Karte zufällige Punkte, jeden in der Mitte eines Pixels und keinen zweimal. Jede Klasse erhält mindestens eine bestimmte Zahl; den Rest teilen sich die anderen nach Fläche.</translation>
    </message>
    <message>
        <source>Label them: look at each point, on an image or in the field, and write what is really there into the field &lt;i&gt;reference&lt;/i&gt;, as a code or name of the map&apos;s classes. Do not look at the map while doing so.</source>
        <translation>Zu beurteilen: jeden Punkt auf einem Bild oder im Gelände ansehen und in das Feld &lt;i&gt;reference&lt;/i&gt; schreiben, was wirklich da ist, als Code oder Name der Klassen der Karte. Dabei nicht auf die Karte sehen.</translation>
    </message>
    <message>
        <source>Then &lt;i&gt;Accuracy of a class map&lt;/i&gt; gives the map&apos;s accuracy and true areas with intervals. The points are in random order: the first of them are a sample too.</source>
        <translation>Dann gibt &lt;i&gt;Genauigkeit einer Klassenkarte&lt;/i&gt; die Genauigkeit der Karte und wahre Flächen mit Intervallen. Die Punkte sind in zufälliger Reihenfolge: auch die ersten davon sind eine Stichprobe.</translation>
    </message>
    <message>
        <source>Points in all</source>
        <translation>Punkte insgesamt</translation>
    </message>
    <message>
        <source>Some hundred give intervals of a few percent.</source>
        <translation>Einige hundert ergeben Intervalle von wenigen Prozent.</translation>
    </message>
    <message>
        <source>Points in each class at least</source>
        <translation>Punkte in jeder Klasse mindestens</translation>
    </message>
    <message>
        <source>50 or more keep rare classes judged.</source>
        <translation>Mit 50 oder mehr bleiben seltene Klassen beurteilbar.</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert</translation>
    </message>
    <message>
        <source>The same seed draws the same points.</source>
        <translation>Derselbe Startwert zieht dieselben Punkte.</translation>
    </message>
    <message>
        <source>Points to label</source>
        <translation>Zu beurteilende Punkte</translation>
    </message>
    <message>
        <source>Fields: id, map_code, map_class, and reference, which is yours to fill in.</source>
        <translation>Felder: id, map_code, map_class und reference, das auszufüllen ist.</translation>
    </message>
    <message>
        <source>Points drawn</source>
        <translation>Gezogene Punkte</translation>
    </message>
    <message>
        <source>Grid: {note}</source>
        <translation>Gitter: {note}</translation>
    </message>
    <message>
        <source>the scene&apos;s own pixels</source>
        <translation>die Pixel der Szene</translation>
    </message>
    <message>
        <source>{height} × {width} pixels, {share:.1f}% valid, {area:.3f} km²</source>
        <translation>{height} × {width} Pixel, {share:.1f}% gültig, {area:.3f} km²</translation>
    </message>
    <message>
        <source>Mean confidence: {percent:.1f}%</source>
        <translation>Mittlere Konfidenz: {percent:.1f}%</translation>
    </message>
    <message>
        <source>{run} of {total} windows in {elapsed:.1f} s on {device} ({precision}), model {model}</source>
        <translation>{run} von {total} Fenstern in {elapsed:.1f} s auf {device} ({precision}), Modell {model}</translation>
    </message>
    <message>
        <source>SARdine: {scene}</source>
        <translation>SARdine: {scene}</translation>
    </message>
    <message>
        <source>The check ended without a result. It printed: {text}</source>
        <translation>Die Prüfung endete ohne Ergebnis. Sie gab aus: {text}</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>nichts</translation>
    </message>
    <message>
        <source>The Python interpreter {python} did not start ({reason}).</source>
        <translation>Der Python-Interpreter {python} ließ sich nicht starten ({reason}).</translation>
    </message>
    <message>
        <source>The backend needs a Python that this account may run.</source>
        <translation>Das Backend braucht ein Python, das dieses Konto ausführen darf.</translation>
    </message>
    <message>
        <source>Choose another interpreter.</source>
        <translation>Einen anderen Interpreter wählen.</translation>
    </message>
    <message>
        <source>it did not say hello within {seconds:g} s</source>
        <translation>er meldete sich nicht innerhalb von {seconds:g} s</translation>
    </message>
    <message>
        <source>The Python interpreter {python} has no {packages}.</source>
        <translation>Dem Python-Interpreter {python} fehlt: {packages}.</translation>
    </message>
    <message>
        <source>The backend needs {packages}.</source>
        <translation>Das Backend braucht {packages}.</translation>
    </message>
    <message>
        <source>Install them into it (python -m pip install {packages}), or choose another interpreter.</source>
        <translation>Diese installieren (python -m pip install {packages}) oder einen anderen Interpreter wählen.</translation>
    </message>
    <message>
        <source>The run was cancelled.</source>
        <translation>Der Lauf wurde abgebrochen.</translation>
    </message>
    <message>
        <source>was ended by signal {number}</source>
        <translation>wurde durch Signal {number} beendet</translation>
    </message>
    <message>
        <source>ended with exit status {number}</source>
        <translation>endete mit Status {number}</translation>
    </message>
    <message>
        <source>it {ended} before it had said hello</source>
        <translation>er {ended}, bevor er sich gemeldet hatte</translation>
    </message>
    <message>
        <source>The backend {ended} in the middle of the run.</source>
        <translation>Das Backend {ended}, mitten im Lauf.</translation>
    </message>
    <message>
        <source>It has to run to its end; most often the memory was used up.</source>
        <translation>Es muss bis zum Ende laufen; meist war der Arbeitsspeicher voll.</translation>
    </message>
    <message>
        <source>Choose a smaller extent or close other programs, and see the log for what it printed.</source>
        <translation>Einen kleineren Ausschnitt wählen oder andere Programme schließen; was es ausgab, steht im Protokoll.</translation>
    </message>
    <message>
        <source>The Python interpreter {python} did not run the backend: {what}.</source>
        <translation>Der Python-Interpreter {python} hat das Backend nicht ausgeführt: {what}.</translation>
    </message>
    <message>
        <source>The backend needs a Python 3.11 or later with {packages}.</source>
        <translation>Das Backend braucht ein Python ab 3.11 mit {packages}.</translation>
    </message>
    <message>
        <source>Choose another interpreter; the log holds what this one printed.</source>
        <translation>Einen anderen Interpreter wählen; was dieser ausgab, steht im Protokoll.</translation>
    </message>
    <message>
        <source>comes from the provider “{provider}”</source>
        <translation>kommt vom Datenanbieter „{provider}“</translation>
    </message>
    <message>
        <source>lies in the memory of QGIS</source>
        <translation>liegt im Arbeitsspeicher von QGIS</translation>
    </message>
    <message>
        <source>needs a login that is stored in QGIS</source>
        <translation>braucht eine Anmeldung, die in QGIS gespeichert ist</translation>
    </message>
    <message>
        <source>The layer “{layer}” {problem}.</source>
        <translation>Der Layer „{layer}“ {problem}.</translation>
    </message>
    <message>
        <source>The backend reads raster files through GDAL.</source>
        <translation>Das Backend liest Rasterdateien über GDAL.</translation>
    </message>
    <message>
        <source>Save the layer as a GeoTIFF with its raw values, and use that.</source>
        <translation>Den Layer mit seinen Rohwerten als GeoTIFF speichern und dieses verwenden.</translation>
    </message>
    <message>
        <source>The layer “{layer}” is set to {shown} in QGIS, but its file says {written}: the file's is used.</source>
        <translation>Der Layer „{layer}“ steht in QGIS auf {shown}, in seiner Datei steht aber {written}: das der Datei wird verwendet.</translation>
    </message>
    <message>
        <source>The mask layer could not be copied ({problem}).</source>
        <translation>Der Maskenlayer konnte nicht kopiert werden ({problem}).</translation>
    </message>
    <message>
        <source>The mask layer holds no polygon.</source>
        <translation>Der Maskenlayer enthält kein Polygon.</translation>
    </message>
    <message>
        <source>At least one polygon is needed.</source>
        <translation>Mindestens ein Polygon wird gebraucht.</translation>
    </message>
    <message>
        <source>Check the layer and its selection.</source>
        <translation>Den Layer und seine Auswahl prüfen.</translation>
    </message>
    <message>
        <source>There is no model in {folder}.</source>
        <translation>In {folder} ist kein Modell.</translation>
    </message>
    <message>
        <source>A .safetensors file exported by SARdine is needed.</source>
        <translation>Eine .safetensors-Datei, die SARdine exportiert hat, wird gebraucht.</translation>
    </message>
    <message>
        <source>Install the plugin again, or choose a model file.</source>
        <translation>Das Plugin neu installieren oder eine Modelldatei wählen.</translation>
    </message>
    <message>
        <source>The layer has no field “{field}”.</source>
        <translation>Der Layer hat kein Feld „{field}“.</translation>
    </message>
    <message>
        <source>The layer holds neither points nor polygons.</source>
        <translation>Der Layer enthält weder Punkte noch Polygone.</translation>
    </message>
    <message>
        <source>The layer could not be copied ({problem}).</source>
        <translation>Der Layer konnte nicht kopiert werden ({problem}).</translation>
    </message>
    <message>
        <source>The layer holds no features with a geometry.</source>
        <translation>Der Layer enthält keine Objekte mit Geometrie.</translation>
    </message>
    <message>
        <source>Points or polygons with a class field are needed.</source>
        <translation>Punkte oder Polygone mit einem Klassenfeld werden gebraucht.</translation>
    </message>
    <message>
        <source>Check the layer, its selection and the field.</source>
        <translation>Den Layer, seine Auswahl und das Feld prüfen.</translation>
    </message>
    <message>
        <source>{band} (optional)</source>
        <translation>{band} (optional)</translation>
    </message>
    <message>
        <source>Classes</source>
        <translation>Klassen</translation>
    </message>
    <message>
        <source>This model has no classes: it gives attention alone.</source>
        <translation>Dieses Modell hat keine Klassen: es liefert allein die Aufmerksamkeit.</translation>
    </message>
    <message>
        <source>Figures</source>
        <translation>Kennzahlen</translation>
    </message>
    <message>
        <source>This is Python {version}; 3.11 or later is needed.</source>
        <translation>Das ist Python {version}; gebraucht wird 3.11 oder neuer.</translation>
    </message>
    <message>
        <source>This is a Python of 32 bits; torch needs one of 64 bits.</source>
        <translation>Das ist ein Python mit 32 Bit; torch braucht eines mit 64 Bit.</translation>
    </message>
    <message>
        <source>Python from the Microsoft Store hides what it writes from other programs. Install Python from python.org.</source>
        <translation>Python aus dem Microsoft Store verbirgt vor anderen Programmen, was es schreibt. Python von python.org installieren.</translation>
    </message>
    <message>
        <source>There is no torch for Intel any more. On a Mac with Apple silicon install a Python for arm64.</source>
        <translation>Für Intel gibt es torch nicht mehr. Auf einem Mac mit Apple-Chip ein Python für arm64 installieren.</translation>
    </message>
    <message>
        <source>There is no torch for {system} on {machine}.</source>
        <translation>Für {system} auf {machine} gibt es kein torch.</translation>
    </message>
    <message>
        <source>This Python lacks {names}. Install {package}, then look again.</source>
        <translation>Diesem Python fehlt {names}. {package} installieren, dann erneut suchen.</translation>
    </message>
    <message>
        <source>Install Python 3.13 for Windows (64 bit) from python.org; an administrator&apos;s rights are not needed.</source>
        <translation>Python 3.13 für Windows (64 Bit) von python.org installieren; Administratorrechte sind nicht nötig.</translation>
    </message>
    <message>
        <source>Install Python 3.13 for macOS from python.org.</source>
        <translation>Python 3.13 für macOS von python.org installieren.</translation>
    </message>
    <message>
        <source>Install the package python3-venv (sudo apt install python3-venv).</source>
        <translation>Das Paket python3-venv installieren (sudo apt install python3-venv).</translation>
    </message>
    <message>
        <source>Install Python 3.11 or later with its modules venv and ensurepip.</source>
        <translation>Python 3.11 oder neuer mit seinen Modulen venv und ensurepip installieren.</translation>
    </message>
    <message>
        <source>the package {package} (sudo apt install {package})</source>
        <translation>das Paket {package} (sudo apt install {package})</translation>
    </message>
    <message>
        <source>a complete Python, such as the one of python.org</source>
        <translation>ein vollständiges Python, etwa das von python.org</translation>
    </message>
    <message>
        <source>Another QGIS window is setting it up (process {process} on {host}). This one goes on when that is done.</source>
        <translation>Ein anderes QGIS-Fenster richtet es gerade ein (Prozess {process} auf {host}). Dieses geht weiter, wenn das fertig ist.</translation>
    </message>
    <message>
        <source>A set-up is running already.</source>
        <translation>Es wird schon eingerichtet.</translation>
    </message>
    <message>
        <source>{folder} is in use or cannot be written to: {reason}</source>
        <translation>{folder} wird gerade benutzt oder ist nicht beschreibbar: {reason}</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Wird begonnen</translation>
    </message>
    <message>
        <source>Making an environment from Python {version}</source>
        <translation>Eine Umgebung aus Python {version} wird angelegt</translation>
    </message>
    <message>
        <source>Checking that it works</source>
        <translation>Es wird geprüft, ob sie läuft</translation>
    </message>
    <message>
        <source>Press Retry, or choose another build.</source>
        <translation>Auf „Erneut versuchen“ klicken oder eine andere Variante wählen.</translation>
    </message>
    <message>
        <source>Finishing</source>
        <translation>Wird abgeschlossen</translation>
    </message>
    <message>
        <source>Cleaning up</source>
        <translation>Wird aufgeräumt</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>Bereit</translation>
    </message>
    <message>
        <source>{python} did not start: {reason}.</source>
        <translation>{python} ließ sich nicht starten: {reason}.</translation>
    </message>
    <message>
        <source>It was ended from outside (signal {status}).</source>
        <translation>Es wurde von außen beendet (Signal {status}).</translation>
    </message>
    <message>
        <source>Python {python}, {packages}
Computes on: {devices}</source>
        <translation>Python {python}, {packages}
Rechnet auf: {devices}</translation>
    </message>
    <message>
        <source>{python} is not a Python that runs.</source>
        <translation>{python} ist kein Python, das läuft.</translation>
    </message>
    <message>
        <source>This Python {version} lacks {names}.</source>
        <translation>Diesem Python {version} fehlt {names}.</translation>
    </message>
    <message>
        <source>Its packages do not work: {why}</source>
        <translation>Seine Pakete arbeiten nicht: {why}</translation>
    </message>
    <message>
        <source>The backend speaks version {theirs} of the protocol, the plugin version {ours}.</source>
        <translation>Das Backend spricht Version {theirs} des Protokolls, das Plugin Version {ours}.</translation>
    </message>
    <message>
        <source>Set up the backend…</source>
        <translation>Backend einrichten…</translation>
    </message>
    <message>
        <source>found by itself</source>
        <translation>wird selbst gefunden</translation>
    </message>
    <message>
        <source>Left empty: {variable}, else the environment that SARdine has made.</source>
        <translation>Leer: {variable}, sonst die Umgebung, die SARdine angelegt hat.</translation>
    </message>
    <message>
        <source>Forget the panel&apos;s choices</source>
        <translation>Auswahl im Bedienfeld vergessen</translation>
    </message>
    <message>
        <source>Model, results, folder and advanced options start from their defaults when the panel is next made.</source>
        <translation>Modell, Ergebnisse, Ordner und erweiterte Einstellungen beginnen mit ihren Vorgaben, wenn das Bedienfeld das nächste Mal entsteht.</translation>
    </message>
    <message>
        <source>Backend</source>
        <translation>Backend</translation>
    </message>
    <message>
        <source>Python</source>
        <translation>Python</translation>
    </message>
    <message>
        <source>Environments in</source>
        <translation>Umgebungen in</translation>
    </message>
    <message>
        <source>Panel</source>
        <translation>Bedienfeld</translation>
    </message>
    <message>
        <source>Show the set-up…</source>
        <translation>Einrichtung zeigen…</translation>
    </message>
    <message>
        <source>The backend is being set up. {stage}</source>
        <translation>Das Backend wird eingerichtet. {stage}</translation>
    </message>
    <message>
        <source>Downloading {package}: {done:.0f} of {total:.0f} MB</source>
        <translation>{package} wird geladen: {done:.0f} von {total:.0f} MB</translation>
    </message>
    <message>
        <source>Downloading {package} ({size:.0f} MB)</source>
        <translation>{package} wird geladen ({size:.0f} MB)</translation>
    </message>
    <message>
        <source>Downloading {package}</source>
        <translation>{package} wird geladen</translation>
    </message>
    <message>
        <source>Looking up {package}</source>
        <translation>{package} wird gesucht</translation>
    </message>
    <message>
        <source>Installing {package} ({number} of {count})</source>
        <translation>{package} wird installiert ({number} von {count})</translation>
    </message>
    <message>
        <source>Finishing the installation</source>
        <translation>Die Installation wird abgeschlossen</translation>
    </message>
    <message>
        <source>The details hold all that was printed.</source>
        <translation>Alles, was ausgegeben wurde, steht in den Einzelheiten.</translation>
    </message>
    <message>
        <source>The disk is full. Make room or choose another folder, then press Retry.</source>
        <translation>Der Datenträger ist voll. Platz schaffen oder einen anderen Ordner wählen, dann auf „Erneut versuchen“ klicken.</translation>
    </message>
    <message>
        <source>The certificate of the server or of your proxy is not trusted. Add your organisation's certificate under Settings › Options › Authentication › Manage Certificates, then press Retry.</source>
        <translation>Dem Zertifikat des Servers oder des Proxys wird nicht vertraut. Das Zertifikat der eigenen Organisation unter Einstellungen › Optionen › Authentifizierung › Zertifikate verwalten hinzufügen, dann auf „Erneut versuchen“ klicken.</translation>
    </message>
    <message>
        <source>The proxy refused. Set it up under Settings › Options › Network, then press Retry.</source>
        <translation>Der Proxy hat abgelehnt. Ihn unter Einstellungen › Optionen › Netzwerk einrichten, dann auf „Erneut versuchen“ klicken.</translation>
    </message>
    <message>
        <source>pip cannot use a SOCKS proxy. Set an HTTP proxy under Settings › Options › Network, or use a folder of wheels.</source>
        <translation>pip kann keinen SOCKS-Proxy verwenden. Unter Einstellungen › Optionen › Netzwerk einen HTTP-Proxy einrichten oder einen Ordner mit Wheels verwenden.</translation>
    </message>
    <message>
        <source>A package arrived damaged. Press Retry; of a folder of wheels, copy that file again.</source>
        <translation>Ein Paket kam beschädigt an. Auf „Erneut versuchen“ klicken; bei einem Ordner mit Wheels diese Datei neu kopieren.</translation>
    </message>
    <message>
        <source>There is no such package for this Python and machine where it was looked for. Take another Python, or add it.</source>
        <translation>Ein solches Paket gibt es dort, wo gesucht wurde, für dieses Python und diesen Rechner nicht. Ein anderes Python nehmen oder das Paket hinzufügen.</translation>
    </message>
    <message>
        <source>A file could not be written. Close other programs that may use the folder (a virus scanner too), then press Retry.</source>
        <translation>Eine Datei konnte nicht geschrieben werden. Andere Programme schließen, die den Ordner benutzen könnten (auch Virenscanner), dann auf „Erneut versuchen“ klicken.</translation>
    </message>
    <message>
        <source>{path}: {problem}</source>
        <translation>{path}: {problem}</translation>
    </message>
    <message>
        <source>No Python was found. {install}</source>
        <translation>Kein Python wurde gefunden. {install}</translation>
    </message>
    <message>
        <source>No suitable Python was found; the newest is {path}. {problem} {install}</source>
        <translation>Kein geeignetes Python wurde gefunden; das neueste ist {path}. {problem} {install}</translation>
    </message>
    <message>
        <source>The check gave no answer. {problem}</source>
        <translation>Die Prüfung gab keine Antwort. {problem}</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>Look again</source>
        <translation>Erneut suchen</translation>
    </message>
    <message>
        <source>Open python.org</source>
        <translation>python.org öffnen</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>Ändern…</translation>
    </message>
    <message>
        <source>Looking for a suitable Python…</source>
        <translation>Ein geeignetes Python wird gesucht…</translation>
    </message>
    <message>
        <source>Choose a folder that holds the wheels (files named .whl) of all packages.</source>
        <translation>Einen Ordner wählen, der die Wheels (Dateien mit der Endung .whl) aller Pakete enthält.</translation>
    </message>
    <message>
        <source>the internet</source>
        <translation>dem Internet</translation>
    </message>
    <message>
        <source>a folder of wheels, without internet</source>
        <translation>einem Ordner mit Wheels, ohne Internet</translation>
    </message>
    <message>
        <source>Computes on</source>
        <translation>Rechnet auf</translation>
    </message>
    <message>
        <source>Made from</source>
        <translation>Angelegt aus</translation>
    </message>
    <message>
        <source>Packages from</source>
        <translation>Pakete aus</translation>
    </message>
    <message>
        <source>Python {version}: {path}</source>
        <translation>Python {version}: {path}</translation>
    </message>
    <message>
        <source>Looking for Pythons and GPUs…</source>
        <translation>Pythons und GPUs werden gesucht…</translation>
    </message>
    <message>
        <source>Found: no NVIDIA GPU.</source>
        <translation>Gefunden: keine NVIDIA-GPU.</translation>
    </message>
    <message>
        <source>{name} with driver {driver}</source>
        <translation>{name} mit Treiber {driver}</translation>
    </message>
    <message>
        <source>Found: {names}.</source>
        <translation>Gefunden: {names}.</translation>
    </message>
    <message>
        <source>torch needs a newer driver, or no longer knows this card.</source>
        <translation>torch braucht einen neueren Treiber oder kennt diese Karte nicht mehr.</translation>
    </message>
    <message>
        <source>Downloads about {download:.1f} GB from {hosts}.</source>
        <translation>Lädt etwa {download:.1f} GB von {hosts}.</translation>
    </message>
    <message>
        <source>Nothing is downloaded.</source>
        <translation>Nichts wird heruntergeladen.</translation>
    </message>
    <message>
        <source>Takes about {installed:.1f} GB, and {peak:.1f} GB while it is made; {free:.0f} GB are free. QGIS and its Python stay as they are.</source>
        <translation>Belegt etwa {installed:.1f} GB, und {peak:.1f} GB, während sie angelegt wird; {free:.0f} GB sind frei. QGIS und sein Python bleiben, wie sie sind.</translation>
    </message>
    <message>
        <source>Python 3.11 or later</source>
        <translation>Python 3.11 oder neuer</translation>
    </message>
    <message>
        <source>Folder for the environment</source>
        <translation>Ordner für die Umgebung</translation>
    </message>
    <message>
        <source>SARdine: set up the backend</source>
        <translation>SARdine: Backend einrichten</translation>
    </message>
    <message>
        <source>Create an environment of its own (recommended)</source>
        <translation>Eine eigene Umgebung anlegen (empfohlen)</translation>
    </message>
    <message>
        <source>Use a Python that is there</source>
        <translation>Ein vorhandenes Python verwenden</translation>
    </message>
    <message>
        <source>Remove them…</source>
        <translation>Diese entfernen…</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>Entfernen…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Environments of other versions of SARdine: {count} ({size:.1f} GB).</source>
        <translation>Umgebungen anderer Versionen von SARdine: {count} ({size:.1f} GB).</translation>
    </message>
    <message>
        <source>The backend is not set up</source>
        <translation>Das Backend ist nicht eingerichtet</translation>
    </message>
    <message>
        <source>✓ The backend is set up</source>
        <translation>✓ Das Backend ist eingerichtet</translation>
    </message>
    <message>
        <source>Python: {python}</source>
        <translation>Python: {python}</translation>
    </message>
    <message>
        <source>{names}; {size:.1f} GB</source>
        <translation>{names}; {size:.1f} GB</translation>
    </message>
    <message>
        <source>It is named by the environment variable {name}.</source>
        <translation>Es ist in der Umgebungsvariable {name} genannt.</translation>
    </message>
    <message>
        <source>Choose a Python.</source>
        <translation>Ein Python wählen.</translation>
    </message>
    <message>
        <source>Check and use</source>
        <translation>Prüfen und verwenden</translation>
    </message>
    <message>
        <source>Retry</source>
        <translation>Erneut versuchen</translation>
    </message>
    <message>
        <source>Create</source>
        <translation>Anlegen</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>Reparieren</translation>
    </message>
    <message>
        <source>Create anew</source>
        <translation>Neu anlegen</translation>
    </message>
    <message>
        <source>Cancelled; nothing was left behind.</source>
        <translation>Abgebrochen; nichts blieb zurück.</translation>
    </message>
    <message>
        <source>Remove the backend&apos;s environment in {folder}? All profiles of QGIS use it.</source>
        <translation>Die Umgebung des Backends in {folder} entfernen? Alle Profile von QGIS verwenden sie.</translation>
    </message>
    <message>
        <source>Remove the environments of other versions of SARdine? A profile with such a version would have to make its own again.</source>
        <translation>Die Umgebungen anderer Versionen von SARdine entfernen? Ein Profil mit einer solchen Version müsste seine neu anlegen.</translation>
    </message>
    <message>
        <source>Removing…</source>
        <translation>Wird entfernt…</translation>
    </message>
    <message>
        <source>Removed.</source>
        <translation>Entfernt.</translation>
    </message>
    <message>
        <source>It was ended after {seconds} s.</source>
        <translation>Es wurde nach {seconds} s beendet.</translation>
    </message>
    <message>
        <source>It could not be started: {reason}.</source>
        <translation>Es ließ sich nicht starten: {reason}.</translation>
    </message>
    <message>
        <source>in the settings of SARdine</source>
        <translation>in den Einstellungen von SARdine</translation>
    </message>
    <message>
        <source>in the variable {name}</source>
        <translation>in der Variable {name}</translation>
    </message>
    <message>
        <source>The Python interpreter {python}, named {where}, does not exist or cannot be run.</source>
        <translation>Den Python-Interpreter {python}, genannt {where}, gibt es nicht, oder er kann nicht ausgeführt werden.</translation>
    </message>
    <message>
        <source>The backend is not set up yet.</source>
        <translation>Das Backend ist noch nicht eingerichtet.</translation>
    </message>
    <message>
        <source>The backend&apos;s environment in {folder} is only half installed.</source>
        <translation>Die Umgebung des Backends in {folder} ist nur halb installiert.</translation>
    </message>
    <message>
        <source>The backend&apos;s environment in {folder} does not run any more: the Python {python}, which it was made from, is gone.</source>
        <translation>Die Umgebung des Backends in {folder} läuft nicht mehr: das Python {python}, aus dem sie angelegt wurde, ist nicht mehr da.</translation>
    </message>
    <message>
        <source>The backend needs a Python 3.11 or later with torch, timm and rasterio.</source>
        <translation>Das Backend braucht ein Python ab 3.11 mit torch, timm und rasterio.</translation>
    </message>
    <message>
        <source>Open Raster › SARdine › Set up the backend, or name a Python in {name}.</source>
        <translation>Raster › SARdine › Backend einrichten öffnen oder in {name} ein Python nennen.</translation>
    </message>
    <message>
        <source>The backend was set up for another version of SARdine; this one needs other packages.</source>
        <translation>Das Backend wurde für eine andere Version von SARdine eingerichtet; diese braucht andere Pakete.</translation>
    </message>
    <message>
        <source>torch finds no NVIDIA GPU that it can use, so it computes on the CPU.</source>
        <translation>torch findet keine NVIDIA-GPU, die es verwenden kann, und rechnet deshalb auf der CPU.</translation>
    </message>
    <message>
        <source>auto takes bf16 where the device computes faster in it; fp32 is the reference.</source>
        <translation>auto nimmt bf16, wo das Gerät damit schneller rechnet; fp32 ist der Maßstab.</translation>
    </message>
    <message>
        <source>Check scenes at once</source>
        <translation>Szenen sofort prüfen</translation>
    </message>
    <message>
        <source>Looks at a scene as soon as it is chosen: unit, grid, expected time and memory.</source>
        <translation>Sieht sich eine Szene an, sobald sie gewählt ist: Einheit, Gitter, erwartete Zeit und Speicher.</translation>
    </message>
    <message>
        <source>About {time} and {memory:.1f} GB of memory</source>
        <translation>Etwa {time} und {memory:.1f} GB Arbeitsspeicher</translation>
    </message>
    <message>
        <source>mean and each head</source>
        <translation>Mittel und jeder Kopf</translation>
    </message>
    <message>
        <source>mean over the heads alone</source>
        <translation>nur das Mittel über die Köpfe</translation>
    </message>
    <message>
        <source>Bands of the attention raster</source>
        <translation>Bänder des Aufmerksamkeitsrasters</translation>
    </message>
    <message>
        <source>End the run</source>
        <translation>Lauf beenden</translation>
    </message>
    <message>
        <source>Help</source>
        <translation>Hilfe</translation>
    </message>
    <message>
        <source>No answer from the server; trying again</source>
        <translation>Keine Antwort vom Server; ein neuer Versuch läuft</translation>
    </message>
    <message>
        <source>No progress for {time}. The computer may be busy, or the backend hangs: wait, or end the run.</source>
        <translation>Seit {time} kein Fortschritt. Der Rechner ist beschäftigt, oder das Backend hängt: warten oder den Lauf beenden.</translation>
    </message>
    <message>
        <source>Maps are computed by a Python process of its own, with torch, timm and rasterio.</source>
        <translation>Karten werden von einem eigenen Python-Prozess mit torch, timm und rasterio berechnet.</translation>
    </message>
    <message>
        <source>Upgrade</source>
        <translation>Aktualisieren</translation>
    </message>
    <message>
        <source>✓ The environment is ready. Close this window and press Run.</source>
        <translation>✓ Die Umgebung ist bereit. Dieses Fenster schließen und auf „Ausführen“ klicken.</translation>
    </message>
    <message>
        <source>the whole scene</source>
        <translation>ganze Szene</translation>
    </message>
    <message>
        <source>each window</source>
        <translation>jedes Fenster</translation>
    </message>
    <message>
        <source>Of the whole scene: one query, and 1 is as much as its average patch. Of each window by itself: squares show.</source>
        <translation>Zur ganzen Szene: eine Abfrage, und 1 ist so viel wie bei ihrem mittleren Patch. Zu jedem Fenster für sich: Quadrate werden sichtbar.</translation>
    </message>
    <message>
        <source>Attention relative to</source>
        <translation>Aufmerksamkeit bezogen auf</translation>
    </message>
    <message>
        <source>Writes the attention of a model&apos;s class token to each patch of a Sentinel-1 scene: one pixel a patch (80 or 160 m), where 1 is as much as the average patch of the scene. Bright places are those that the model takes for telling: built-up ground, shores, ships, field borders.</source>
        <translation>Schreibt die Aufmerksamkeit des Klassen-Tokens eines Modells für jeden Patch einer Sentinel-1-Szene: ein Pixel je Patch (80 oder 160 m), wobei 1 so viel ist wie beim mittleren Patch der Szene. Hell sind Orte, die das Modell für aussagekräftig hält: Bebauung, Ufer, Schiffe, Feldgrenzen.</translation>
    </message>
    <message>
        <source>Sampling the scene</source>
        <translation>Stichprobe der Szene</translation>
    </message>
    <message>
        <source>scene: one query for the whole scene, and 1 is as much as its average patch. window: each window by itself, which shows as squares.</source>
        <translation>scene: eine Abfrage für die ganze Szene, und 1 ist so viel wie bei ihrem mittleren Patch. window: jedes Fenster für sich, was als Quadrate sichtbar wird.</translation>
    </message>
    <message>
        <source>Your classes</source>
        <translation>Eigene Klassen</translation>
    </message>
    <message>
        <source>Class codes; 0 is no data.</source>
        <translation>Klassencodes; 0 heißt keine Daten.</translation>
    </message>
    <message>
        <source>Confidence of your classes</source>
        <translation>Konfidenz der eigenen Klassen</translation>
    </message>
    <message>
        <source>Probability of the class in percent. Where it is low, the next sample helps most.</source>
        <translation>Wahrscheinlichkeit der Klasse in Prozent. Wo sie niedrig ist, hilft das nächste Trainingsgebiet am meisten.</translation>
    </message>
    <message>
        <source>Map from your samples</source>
        <translation>Karte aus eigenen Trainingsgebieten</translation>
    </message>
    <message>
        <source>Maps a Sentinel-1 scene in classes of your own from polygons or points, and says how accurate the map is.</source>
        <translation>Kartiert eine Sentinel-1-Szene in eigenen Klassen aus Polygonen oder Punkten und sagt, wie genau die Karte ist.</translation>
    </message>
    <message>
        <source>supervised classification</source>
        <translation>überwachte klassifikation</translation>
    </message>
    <message>
        <source>random forest</source>
        <translation>random forest</translation>
    </message>
    <message>
        <source>samples</source>
        <translation>trainingsdaten</translation>
    </message>
    <message>
        <source>training polygons</source>
        <translation>trainingsgebiete</translation>
    </message>
    <message>
        <source>custom classes</source>
        <translation>eigene klassen</translation>
    </message>
    <message>
        <source>Accuracy is told by holding out whole polygons, never pixels of a polygon trained on. Draw five or more of each class, spread over the scene. Colours come from the layer, if it is shown by categories of that field.</source>
        <translation>Die Genauigkeit wird bestimmt, indem ganze Polygone zurückgehalten werden, nie einzelne Pixel eines Trainingspolygons. Je Klasse fünf oder mehr zeichnen, über die Szene verteilt. Die Farben kommen vom Layer, wenn er nach Kategorien dieses Feldes dargestellt ist.</translation>
    </message>
    <message>
        <source>Classifier</source>
        <translation>Klassifikator</translation>
    </message>
    <message>
        <source>Classifiers (*.safetensors)</source>
        <translation>Klassifikatoren (*.safetensors)</translation>
    </message>
    <message>
        <source>For other scenes with the same model.</source>
        <translation>Für andere Szenen mit demselben Modell.</translation>
    </message>
    <message>
        <source>Accuracy report</source>
        <translation>Genauigkeitsbericht</translation>
    </message>
    <message>
        <source>Confusion matrix and figures of each class, by held-out samples.</source>
        <translation>Konfusionsmatrix und Kennzahlen jeder Klasse, nach zurückgehaltenen Trainingsgebieten.</translation>
    </message>
    <message>
        <source>Accuracy table</source>
        <translation>Genauigkeitstabelle</translation>
    </message>
    <message>
        <source>The same for a spreadsheet.</source>
        <translation>Dasselbe für eine Tabellenkalkulation.</translation>
    </message>
    <message>
        <source>Overall accuracy by held-out samples (0 to 1)</source>
        <translation>Gesamtgenauigkeit nach zurückgehaltenen Gebieten (0 bis 1)</translation>
    </message>
    <message>
        <source>Mean F1 by held-out samples (0 to 1)</source>
        <translation>Mittleres F1 nach zurückgehaltenen Gebieten (0 bis 1)</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>Trainingsgebiete</translation>
    </message>
    <message>
        <source>Polygons or points of each class, in any coordinate system.</source>
        <translation>Polygone oder Punkte jeder Klasse, in beliebigem Koordinatensystem.</translation>
    </message>
    <message>
        <source>Holds the class of each sample: a name, or a code from 1 to 254.</source>
        <translation>Enthält die Klasse jedes Gebiets: einen Namen oder einen Code von 1 bis 254.</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Verfahren</translation>
    </message>
    <message>
        <source>forest: random forest. boosting: gradient boosting. logistic: logistic regression, by far the fastest.</source>
        <translation>forest: Random Forest. boosting: Gradient Boosting. logistic: logistische Regression, mit Abstand am schnellsten.</translation>
    </message>
    <message>
        <source>What it sees</source>
        <translation>Was es sieht</translation>
    </message>
    <message>
        <source>Judge by held-out samples</source>
        <translation>Mit zurückgehaltenen Gebieten prüfen</translation>
    </message>
    <message>
        <source>Trains some more times, each without some of the samples. Leave it out for a quick look.</source>
        <translation>Trainiert einige Male mehr, jedes Mal ohne einen Teil der Gebiete. Für einen schnellen Blick weglassen.</translation>
    </message>
    <message>
        <source>The same seed gives the same map.</source>
        <translation>Derselbe Startwert ergibt dieselbe Karte.</translation>
    </message>
    <message>
        <source>Map with a saved classifier</source>
        <translation>Karte mit gespeichertem Klassifikator</translation>
    </message>
    <message>
        <source>Maps a Sentinel-1 scene with a classifier that was made from samples on another one.</source>
        <translation>Kartiert eine Sentinel-1-Szene mit einem Klassifikator, der aus Gebieten auf einer anderen entstand.</translation>
    </message>
    <message>
        <source>classifier</source>
        <translation>klassifikator</translation>
    </message>
    <message>
        <source>Uses a classifier that &lt;i&gt;Map from your samples&lt;/i&gt; has saved on another scene, with the same model.</source>
        <translation>Verwendet einen Klassifikator, den &lt;i&gt;Karte aus eigenen Trainingsgebieten&lt;/i&gt; auf einer anderen Szene mit demselben Modell gespeichert hat.</translation>
    </message>
    <message>
        <source>Season, incidence angle and weather change what radar sees: expect less than on its own scene, and judge the map with &lt;i&gt;Accuracy of a class map&lt;/i&gt;.</source>
        <translation>Jahreszeit, Einfallswinkel und Wetter ändern, was Radar sieht: weniger erwarten als auf der eigenen Szene und die Karte mit &lt;i&gt;Genauigkeit einer Klassenkarte&lt;/i&gt; prüfen.</translation>
    </message>
    <message>
        <source>What “Map from your samples” has saved.</source>
        <translation>Was „Karte aus eigenen Trainingsgebieten“ gespeichert hat.</translation>
    </message>
    <message>
        <source>Folder for features</source>
        <translation>Ordner für Merkmale</translation>
    </message>
    <message>
        <source>Features that were computed once are kept there for the next run. Left empty: your own cache folder.</source>
        <translation>Einmal berechnete Merkmale bleiben dort für den nächsten Lauf. Leer: der eigene Cache-Ordner.</translation>
    </message>
    <message>
        <source>Features from Sentinel-1</source>
        <translation>Merkmale aus Sentinel-1</translation>
    </message>
    <message>
        <source>Gives attention and embeddings of a Vision Transformer as bands of a raster.</source>
        <translation>Gibt Aufmerksamkeit und Einbettungen eines Vision Transformers als Bänder eines Rasters.</translation>
    </message>
    <message>
        <source>features</source>
        <translation>merkmale</translation>
    </message>
    <message>
        <source>embeddings</source>
        <translation>einbettungen</translation>
    </message>
    <message>
        <source>principal components</source>
        <translation>hauptkomponenten</translation>
    </message>
    <message>
        <source>Runs a model over a Sentinel-1 scene and writes what it makes of each patch (80 or 160 m): components of the patch&apos;s embedding, and the attention of each head as its binary logarithm.</source>
        <translation>Führt ein Modell über eine Sentinel-1-Szene und schreibt, was es aus jedem Patch (80 oder 160 m) macht: Komponenten der Einbettung des Patches und die Aufmerksamkeit jedes Kopfes als Zweierlogarithmus.</translation>
    </message>
    <message>
        <source>The bands serve other algorithms: clustering, regression, change. The first three components make a picture.</source>
        <translation>Die Bänder dienen anderen Algorithmen: Clusterung, Regression, Veränderung. Die ersten drei Komponenten ergeben ein Bild.</translation>
    </message>
    <message>
        <source>What was computed once is kept for &lt;i&gt;Map from your samples&lt;/i&gt; and &lt;i&gt;Similar places&lt;/i&gt; on the same scene.</source>
        <translation>Einmal Berechnetes bleibt für &lt;i&gt;Karte aus eigenen Trainingsgebieten&lt;/i&gt; und &lt;i&gt;Ähnliche Orte&lt;/i&gt; auf derselben Szene.</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>Komponenten</translation>
    </message>
    <message>
        <source>Principal components that the embeddings are reduced to.</source>
        <translation>Hauptkomponenten, auf die die Einbettungen verkleinert werden.</translation>
    </message>
    <message>
        <source>Features</source>
        <translation>Merkmale</translation>
    </message>
    <message>
        <source>Components first, then the heads. One pixel a patch.</source>
        <translation>Zuerst die Komponenten, dann die Köpfe. Ein Pixel je Patch.</translation>
    </message>
    <message>
        <source>Share of the variance that the components hold</source>
        <translation>Anteil der Varianz, den die Komponenten enthalten</translation>
    </message>
    <message>
        <source>Reading the samples</source>
        <translation>Trainingsgebiete werden gelesen</translation>
    </message>
    <message>
        <source>Judging by held-out samples</source>
        <translation>Prüfung mit zurückgehaltenen Gebieten</translation>
    </message>
    <message>
        <source>Training the classifier</source>
        <translation>Klassifikator wird trainiert</translation>
    </message>
    <message>
        <source>Classifying</source>
        <translation>Klassifikation</translation>
    </message>
    <message>
        <source>Comparing places</source>
        <translation>Orte werden verglichen</translation>
    </message>
    <message>
        <source>Writing the files</source>
        <translation>Dateien werden geschrieben</translation>
    </message>
    <message>
        <source>Similar places</source>
        <translation>Ähnliche Orte</translation>
    </message>
    <message>
        <source>Shows where a Sentinel-1 scene is like the places that you point at.</source>
        <translation>Zeigt, wo eine Sentinel-1-Szene den Orten gleicht, auf die gezeigt wird.</translation>
    </message>
    <message>
        <source>similarity</source>
        <translation>ähnlichkeit</translation>
    </message>
    <message>
        <source>search</source>
        <translation>suche</translation>
    </message>
    <message>
        <source>cosine</source>
        <translation>kosinus</translation>
    </message>
    <message>
        <source>Point at one or several places, by points or polygons: each patch of the scene (80 or 160 m) is compared with them by the cosine of the model&apos;s embeddings. 1 is the same, 0 as unlike as two patches at random.</source>
        <translation>Auf einen oder mehrere Orte zeigen, mit Punkten oder Polygonen: jeder Patch der Szene (80 oder 160 m) wird mit ihnen durch den Kosinus der Einbettungen des Modells verglichen. 1 heißt gleich, 0 so verschieden wie zwei zufällige Patches.</translation>
    </message>
    <message>
        <source>The places may lie on another scene: name it, and the two are compared with the same model.</source>
        <translation>Die Orte dürfen auf einer anderen Szene liegen: sie nennen, und beide werden mit demselben Modell verglichen.</translation>
    </message>
    <message>
        <source>Places</source>
        <translation>Orte</translation>
    </message>
    <message>
        <source>Points or polygons; all together make one example.</source>
        <translation>Punkte oder Polygone; alle zusammen sind ein Beispiel.</translation>
    </message>
    <message>
        <source>Scene of the places</source>
        <translation>Szene der Orte</translation>
    </message>
    <message>
        <source>Where they lie on another scene than the one to be searched. Its bands are found by their names.</source>
        <translation>Wo sie auf einer anderen Szene liegen als der zu durchsuchenden. Deren Bänder werden an ihren Namen erkannt.</translation>
    </message>
    <message>
        <source>Least similarity of the polygons</source>
        <translation>Mindestähnlichkeit der Polygone</translation>
    </message>
    <message>
        <source>From -1 to 1. For the polygons alone.</source>
        <translation>Von -1 bis 1. Nur für die Polygone.</translation>
    </message>
    <message>
        <source>Similarity</source>
        <translation>Ähnlichkeit</translation>
    </message>
    <message>
        <source>One pixel a patch, from -1 to 1.</source>
        <translation>Ein Pixel je Patch, von -1 bis 1.</translation>
    </message>
    <message>
        <source>Around what is at least so much alike: fields id, mean, patches.</source>
        <translation>Um das, was mindestens so ähnlich ist: Felder id, mean, patches.</translation>
    </message>
    <message>
        <source>Area that is at least so much alike (ha)</source>
        <translation>Fläche, die mindestens so ähnlich ist (ha)</translation>
    </message>
    <message>
        <source>Draw some polygons (or points) of each class on the scene, in any vector layer with a class field of names or codes, and run this. No network is trained: a classifier learns from your samples what the backscatter around each pixel, and if you like the model&apos;s attention and embeddings, look like in each class.</source>
        <translation>Auf der Szene einige Polygone (oder Punkte) jeder Klasse zeichnen, in einem beliebigen Vektorlayer mit einem Klassenfeld aus Namen oder Codes, und dies ausführen. Kein Netz wird trainiert: ein Klassifikator lernt aus den Gebieten, wie die Rückstreuung um jedes Pixel, und auf Wunsch Aufmerksamkeit und Einbettungen des Modells, in jeder Klasse aussehen.</translation>
    </message>
    <message>
        <source>Attention and embeddings of a scene are computed once and kept for the next run. The classifier can be saved and used on other scenes with &lt;i&gt;Map with a saved classifier&lt;/i&gt;.</source>
        <translation>Aufmerksamkeit und Einbettungen einer Szene werden einmal berechnet und für den nächsten Lauf behalten. Der Klassifikator kann gespeichert und mit &lt;i&gt;Karte mit gespeichertem Klassifikator&lt;/i&gt; auf andere Szenen angewandt werden.</translation>
    </message>
    <message>
        <source>db: means and deviations of the backscatter; takes no run of the network. attention of each head and tokens (components of the embeddings) need one; with a model of simulated scenes and with a pre-trained encoder they brought nothing sure, with the bundled model that was not measured.</source>
        <translation>db: Mittel und Streuungen der Rückstreuung; braucht keinen Lauf des Netzes. attention jedes Kopfes und tokens (Komponenten der Einbettungen) brauchen einen; mit einem Modell aus simulierten Szenen und mit einem vortrainierten Encoder brachten sie nichts Sicheres, mit dem mitgelieferten Modell ist das nicht gemessen.</translation>
    </message>
    <message>
        <source>The whole log: {file}</source>
        <translation>Das ganze Protokoll: {file}</translation>
    </message>
    <message>
        <source>The backend is being set up</source>
        <translation>Das Backend wird eingerichtet</translation>
    </message>
    <message>
        <source>This goes on when the window is closed, and QGIS can be used meanwhile.</source>
        <translation>Das geht weiter, wenn das Fenster geschlossen wird, und mit QGIS kann inzwischen gearbeitet werden.</translation>
    </message>
    <message>
        <source>The server {name}</source>
        <translation>Der Server {name}</translation>
    </message>
    <message>
        <source>The server</source>
        <translation>Der Server</translation>
    </message>
    <message>
        <source>{server} could not be reached. Check the connection and press Retry; or choose another build under “Computes on”, which may come from another server; or take the packages from a folder of wheels.</source>
        <translation>{server} war nicht erreichbar. Die Verbindung prüfen und auf „Erneut versuchen“ klicken; oder unter „Rechnet auf“ eine andere Variante wählen, die von einem anderen Server kommen kann; oder die Pakete aus einem Ordner mit Wheels nehmen.</translation>
    </message>
    <message>
        <source>The scene holds {held}; the model needs {roles}. Choose another scene, or a model for these bands.</source>
        <translation>Die Szene enthält {held}; das Modell braucht {roles}. Eine andere Szene wählen oder ein Modell für diese Bänder.</translation>
    </message>
    <message>
        <source>The model needs {roles}, which no layer names: choose layer and band, or load the layer that holds it.</source>
        <translation>Das Modell braucht {roles}, was kein Layer nennt: Layer und Band wählen oder den Layer laden, der es enthält.</translation>
    </message>
    <message>
        <source>Map the scene</source>
        <translation>Szene kartieren</translation>
    </message>
    <message>
        <source>The algorithm {id} is not there: switch the plugin off and on again.</source>
        <translation>Den Algorithmus {id} gibt es nicht: das Plugin aus- und wieder einschalten.</translation>
    </message>
    <message>
        <source>Prod.</source>
        <translation>Herst.</translation>
    </message>
    <message>
        <source>Producer&apos;s accuracy: of what is this class, so much is mapped as it (%)</source>
        <translation>Herstellergenauigkeit: So viel von dem, was diese Klasse ist, ist als sie kartiert (%)</translation>
    </message>
    <message>
        <source>User&apos;s</source>
        <translation>Nutzer</translation>
    </message>
    <message>
        <source>User&apos;s accuracy: of what is mapped as this class, so much is it (%)</source>
        <translation>Nutzergenauigkeit: So viel von dem, was als diese Klasse kartiert ist, ist sie auch (%)</translation>
    </message>
    <message>
        <source>The harmonic mean of both (%)</source>
        <translation>Das harmonische Mittel von beiden (%)</translation>
    </message>
    <message>
        <source>Mapped area in hectares</source>
        <translation>Kartierte Fläche in Hektar</translation>
    </message>
    <message>
        <source>Map the scene: how accurate the map is will stand here.</source>
        <translation>Die Szene kartieren: hier steht dann, wie genau die Karte ist.</translation>
    </message>
    <message>
        <source>How accurate the map is cannot be told: it takes two classes with two samples each.</source>
        <translation>Wie genau die Karte ist, lässt sich nicht sagen: dazu braucht es zwei Klassen mit je zwei Trainingsgebieten.</translation>
    </message>
    <message>
        <source>Overall accuracy {percent:.0f}%, judged by samples that were held out as a whole.</source>
        <translation>Gesamtgenauigkeit {percent:.0f} %, beurteilt an Trainingsgebieten, die als Ganzes zurückgehalten wurden.</translation>
    </message>
    <message>
        <source>{share:.0f}% of {name} is taken for {other}: draw more of both where the map is wrong, or make them one class.</source>
        <translation>{share:.0f} % von {name} wird für {other} gehalten: von beiden mehr zeichnen, wo die Karte falsch ist, oder eine Klasse daraus machen.</translation>
    </message>
    <message>
        <source>Of {names} there is one sample alone, and nothing to judge it by: draw more.</source>
        <translation>Von {names} gibt es nur ein Trainingsgebiet und nichts, woran sie zu beurteilen wäre: mehr zeichnen.</translation>
    </message>
    <message>
        <source>Few samples of {names}: their figures are rough. Draw {count} or more of each, spread over the scene.</source>
        <translation>Wenige Trainingsgebiete von {names}: ihre Zahlen sind grob. Je {count} oder mehr zeichnen, über die Szene verteilt.</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>Hinzufügen</translation>
    </message>
    <message>
        <source>Adds a class; type its name.</source>
        <translation>Fügt eine Klasse hinzu; ihren Namen eingeben.</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Umbenennen</translation>
    </message>
    <message>
        <source>Renames the class and its samples.</source>
        <translation>Benennt die Klasse und ihre Trainingsgebiete um.</translation>
    </message>
    <message>
        <source>Colour…</source>
        <translation>Farbe…</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Removes the class and its samples.</source>
        <translation>Entfernt die Klasse und ihre Trainingsgebiete.</translation>
    </message>
    <message>
        <source>The layer cannot be edited.</source>
        <translation>Der Layer lässt sich nicht bearbeiten.</translation>
    </message>
    <message>
        <source>class {number}</source>
        <translation>Klasse {number}</translation>
    </message>
    <message>
        <source>Colour of “{name}”</source>
        <translation>Farbe von „{name}“</translation>
    </message>
    <message>
        <source>Remove “{name}” and its {count} samples?</source>
        <translation>„{name}“ und ihre {count} Trainingsgebiete entfernen?</translation>
    </message>
    <message>
        <source>Remove class</source>
        <translation>Klasse entfernen</translation>
    </message>
    <message>
        <source>{scene} · your classes</source>
        <translation>{scene} · eigene Klassen</translation>
    </message>
    <message>
        <source>The backend&apos;s report was not understood.</source>
        <translation>Der Bericht des Backends wurde nicht verstanden.</translation>
    </message>
    <message>
        <source>Set up the backend again.</source>
        <translation>Das Backend neu einrichten.</translation>
    </message>
    <message>
        <source>Click the corners of a polygon on the map; a right click ends it.</source>
        <translation>Die Ecken eines Polygons in der Karte anklicken; ein Rechtsklick beendet es.</translation>
    </message>
    <message>
        <source>Draw “{name}”</source>
        <translation>„{name}“ zeichnen</translation>
    </message>
    <message>
        <source>Draw samples</source>
        <translation>Trainingsgebiete zeichnen</translation>
    </message>
    <message>
        <source>The layer “{layer}” cannot be edited: make a new one.</source>
        <translation>Der Layer „{layer}“ lässt sich nicht bearbeiten: einen neuen anlegen.</translation>
    </message>
    <message>
        <source>Logistic regression (fast)</source>
        <translation>Logistische Regression (schnell)</translation>
    </message>
    <message>
        <source>Random forest</source>
        <translation>Random Forest</translation>
    </message>
    <message>
        <source>Gradient boosting</source>
        <translation>Gradient Boosting</translation>
    </message>
    <message>
        <source>backscatter around each pixel</source>
        <translation>Rückstreuung um jedes Pixel</translation>
    </message>
    <message>
        <source>attention of the model</source>
        <translation>Aufmerksamkeit des Modells</translation>
    </message>
    <message>
        <source>embeddings of the model</source>
        <translation>Einbettungen des Modells</translation>
    </message>
    <message>
        <source>Takes one run of the network over the scene; previews have it when it is done.</source>
        <translation>Braucht einen Lauf des Netzes über die Szene; danach haben es auch die Vorschauen.</translation>
    </message>
    <message>
        <source>It sees</source>
        <translation>Er sieht</translation>
    </message>
    <message>
        <source>The classifier sees nothing: tick what it is to see, under “Method”.</source>
        <translation>Der Klassifikator sieht nichts: unter „Verfahren“ ankreuzen, was er sehen soll.</translation>
    </message>
    <message>
        <source>Preview on the visible map</source>
        <translation>Vorschau auf der sichtbaren Karte</translation>
    </message>
    <message>
        <source>Maps what you see after each sample, in some seconds and without running the network.</source>
        <translation>Kartiert nach jedem Trainingsgebiet, was zu sehen ist, in einigen Sekunden und ohne das Netz laufen zu lassen.</translation>
    </message>
    <message>
        <source>Save the classifier…</source>
        <translation>Klassifikator speichern…</translation>
    </message>
    <message>
        <source>One file, for other scenes: “Map with a saved classifier” in the toolbox.</source>
        <translation>Eine Datei, für andere Szenen: „Karte mit gespeichertem Klassifikator“ in der Werkzeugkiste.</translation>
    </message>
    <message>
        <source>Show where unsure</source>
        <translation>Zeigen, wo unsicher</translation>
    </message>
    <message>
        <source>Colours the places where the map is least sure: there the next sample helps most.</source>
        <translation>Färbt die Stellen, an denen die Karte am unsichersten ist: dort hilft das nächste Trainingsgebiet am meisten.</translation>
    </message>
    <message>
        <source>Preview of your classes</source>
        <translation>Vorschau eigener Klassen</translation>
    </message>
    <message>
        <source>Where unsure</source>
        <translation>Wo unsicher</translation>
    </message>
    <message>
        <source>Make a sample layer, and draw samples of your classes on the map.</source>
        <translation>Einen Layer anlegen und Trainingsgebiete der eigenen Klassen in die Karte zeichnen.</translation>
    </message>
    <message>
        <source>Choose the field that holds the class of each sample, and press “Show by classes”.</source>
        <translation>Das Feld wählen, in dem die Klasse jedes Trainingsgebiets steht, und auf „Nach Klassen zeigen“ klicken.</translation>
    </message>
    <message>
        <source>Draw samples of two classes at least: select a class, press “Draw”, click the corners of a polygon.</source>
        <translation>Trainingsgebiete von mindestens zwei Klassen zeichnen: eine Klasse wählen, auf „zeichnen“ klicken, die Ecken eines Polygons anklicken.</translation>
    </message>
    <message>
        <source>The preview waits for the run to end.</source>
        <translation>Die Vorschau wartet auf das Ende des Laufs.</translation>
    </message>
    <message>
        <source>The map shows no part of the scene: move it there.</source>
        <translation>Die Karte zeigt keinen Teil der Szene: sie dorthin verschieben.</translation>
    </message>
    <message>
        <source>Area of the map</source>
        <translation>Gebiet der Karte</translation>
    </message>
    <message>
        <source>How good is it?</source>
        <translation>Wie gut ist sie?</translation>
    </message>
    <message>
        <source>Save the classifier</source>
        <translation>Klassifikator speichern</translation>
    </message>
    <message>
        <source>⚠ {file} could not be written ({reason}): choose another place.</source>
        <translation>⚠ {file} konnte nicht geschrieben werden ({reason}): einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>The classifier is in {file}.</source>
        <translation>Der Klassifikator ist in {file}.</translation>
    </message>
    <message>
        <source>Preview…</source>
        <translation>Vorschau…</translation>
    </message>
    <message>
        <source>Preview after {seconds:.1f} s</source>
        <translation>Vorschau nach {seconds:.1f} s</translation>
    </message>
    <message>
        <source>New</source>
        <translation>Neu</translation>
    </message>
    <message>
        <source>Makes an empty layer of polygons for your samples. It is gone when QGIS closes, unless you save it.</source>
        <translation>Legt einen leeren Polygonlayer für Trainingsgebiete an. Er ist weg, wenn QGIS schließt, außer er wird gespeichert.</translation>
    </message>
    <message>
        <source>Temporary layer</source>
        <translation>Temporärer Layer</translation>
    </message>
    <message>
        <source>In a GeoPackage…</source>
        <translation>In einem GeoPackage…</translation>
    </message>
    <message>
        <source>Show by classes</source>
        <translation>Nach Klassen zeigen</translation>
    </message>
    <message>
        <source>Gives each value of the field a colour. The classes are those of the layer&apos;s symbology.</source>
        <translation>Gibt jedem Wert des Feldes eine Farbe. Die Klassen sind die der Symbolisierung des Layers.</translation>
    </message>
    <message>
        <source>Samples of {scene}</source>
        <translation>Trainingsgebiete von {scene}</translation>
    </message>
    <message>
        <source>water</source>
        <translation>Wasser</translation>
    </message>
    <message>
        <source>land</source>
        <translation>Land</translation>
    </message>
    <message>
        <source>New layer of samples</source>
        <translation>Neuer Layer für Trainingsgebiete</translation>
    </message>
    <message>
        <source>GeoPackages (*.gpkg)</source>
        <translation>GeoPackages (*.gpkg)</translation>
    </message>
    <message>
        <source>{file} could not be made ({problem}).</source>
        <translation>{file} konnte nicht angelegt werden ({problem}).</translation>
    </message>
    <message>
        <source>QGIS cannot open it</source>
        <translation>QGIS kann es nicht öffnen</translation>
    </message>
    <message>
        <source>A folder that can be written to is needed.</source>
        <translation>Es braucht einen Ordner, in den geschrieben werden darf.</translation>
    </message>
    <message>
        <source>Choose another place.</source>
        <translation>Einen anderen Ort wählen.</translation>
    </message>
    <message>
        <source>A class needs a name.</source>
        <translation>Eine Klasse braucht einen Namen.</translation>
    </message>
    <message>
        <source>There is a class “{name}” already.</source>
        <translation>Es gibt schon eine Klasse „{name}“.</translation>
    </message>
    <message>
        <source>The class field of this layer holds numbers: a code from 1 to 254 is needed.</source>
        <translation>Das Klassenfeld dieses Layers enthält Zahlen: es braucht einen Code von 1 bis 254.</translation>
    </message>
    <message>
        <source>Rename class</source>
        <translation>Klasse umbenennen</translation>
    </message>
    <message>
        <source>Run no network</source>
        <translation>Kein Netz laufen lassen</translation>
    </message>
    <message>
        <source>For a quick look: where attention and embeddings are not there yet, backscatter alone is looked at.</source>
        <translation>Für einen schnellen Blick: wo Aufmerksamkeit und Einbettungen noch nicht da sind, wird nur die Rückstreuung betrachtet.</translation>
    </message>
    <message>
        <source>Worker processes not available</source>
        <translation>Arbeitsprozesse nicht verfügbar</translation>
    </message>
    <message>
        <source>A worker process died</source>
        <translation>Ein Arbeitsprozess ist abgestürzt</translation>
    </message>
    <message>
        <source>Composite of many Sentinel-1 dates</source>
        <translation>Komposit vieler Sentinel-1-Termine</translation>
    </message>
    <message>
        <source>Reduces many radar scenes of one place to one raster, by season, by month or all together.</source>
        <translation>Fasst viele Radarszenen eines Ortes zu einem Raster zusammen, nach Jahreszeit, nach Monat oder alle zusammen.</translation>
    </message>
    <message>
        <source>composite</source>
        <translation>Komposit</translation>
    </message>
    <message>
        <source>median</source>
        <translation>Median</translation>
    </message>
    <message>
        <source>season</source>
        <translation>Jahreszeit</translation>
    </message>
    <message>
        <source>time series</source>
        <translation>Zeitreihe</translation>
    </message>
    <message>
        <source>speckle</source>
        <translation>Speckle</translation>
    </message>
    <message>
        <source>Dates of one place become one: the median, mean or a percentile of each pixel, taken in linear power.</source>
        <translation>Termine eines Ortes werden einer: der Median, der Mittelwert oder ein Perzentil jedes Pixels, gebildet in linearer Leistung.</translation>
    </message>
    <message>
        <source>A pixel without data on a date is left out of that date alone. The grid is that of the first scene.</source>
        <translation>Ein Pixel ohne Daten an einem Termin fehlt nur bei diesem Termin. Das Gitter ist das der ersten Szene.</translation>
    </message>
    <message>
        <source>By season the bands are called VV_winter, VH_winter and so on, as models trained on seasons call them.</source>
        <translation>Nach Jahreszeit heißen die Bänder VV_winter, VH_winter und so weiter, wie Modelle sie nennen, die mit Jahreszeiten trainiert wurden.</translation>
    </message>
    <message>
        <source>For dates that lie in folders of their own.</source>
        <translation>Für Termine, die in eigenen Ordnern liegen.</translation>
    </message>
    <message>
        <source>Dates of the scenes</source>
        <translation>Termine der Szenen</translation>
    </message>
    <message>
        <source>YYYY-MM-DD or YYYY-MM, one a scene in their order, separated by spaces or lines. Left empty: read off products and file names.</source>
        <translation>JJJJ-MM-TT oder JJJJ-MM, einer je Szene in deren Reihenfolge, durch Leerzeichen oder Zeilen getrennt. Leer: aus Produkten und Dateinamen gelesen.</translation>
    </message>
    <message>
        <source>A composite for each</source>
        <translation>Ein Komposit je</translation>
    </message>
    <message>
        <source>season: winter is December to February, south of the equator June to August. month: the same month of all years. all: one for all dates.</source>
        <translation>season: Winter ist Dezember bis Februar, südlich des Äquators Juni bis August. month: derselbe Monat aller Jahre. all: eines für alle Termine.</translation>
    </message>
    <message>
        <source>How dates become one value</source>
        <translation>Wie aus Terminen ein Wert wird</translation>
    </message>
    <message>
        <source>The median keeps single floods and ships out. The mean has the least speckle. A low percentile finds water.</source>
        <translation>Der Median lässt einzelne Hochwasser und Schiffe weg. Der Mittelwert hat das wenigste Speckle. Ein niedriges Perzentil findet Wasser.</translation>
    </message>
    <message>
        <source>Percentile</source>
        <translation>Perzentil</translation>
    </message>
    <message>
        <source>For the reduction percentile alone.</source>
        <translation>Nur für die Zusammenfassung percentile.</translation>
    </message>
    <message>
        <source>Keep orbit directions apart</source>
        <translation>Orbitrichtungen getrennt halten</translation>
    </message>
    <message>
        <source>Bands of their own for ascending and descending orbits, which see slopes from two sides. Band descriptions must name the direction (VV_asc), or the scenes be products.</source>
        <translation>Eigene Bänder für aufsteigende und absteigende Orbits, die Hänge von zwei Seiten sehen. Die Bandbeschreibungen müssen die Richtung nennen (VV_asc), oder die Szenen Produkte sein.</translation>
    </message>
    <message>
        <source>Composite</source>
        <translation>Komposit</translation>
    </message>
    <message>
        <source>Decibels; the bands are called by polarisation, period, first and last date and number of dates.</source>
        <translation>Dezibel; die Bänder sind nach Polarisation, Zeitraum, erstem und letztem Termin und Zahl der Termine benannt.</translation>
    </message>
    <message>
        <source>Number of dates</source>
        <translation>Zahl der Termine</translation>
    </message>
    <message>
        <source>How many dates each pixel has, a band for each of the composite.</source>
        <translation>Wie viele Termine jedes Pixel hat, ein Band für jedes des Komposits.</translation>
    </message>
    <message>
        <source>Dates</source>
        <translation>Termine</translation>
    </message>
    <message>
        <source>{dates} dates are given for {scenes} scenes: one a scene is needed, in their order.</source>
        <translation>{dates} Termine sind für {scenes} Szenen angegeben: nötig ist einer je Szene, in deren Reihenfolge.</translation>
    </message>
    <message>
        <source>Starting the worker processes</source>
        <translation>Arbeitsprozesse werden gestartet</translation>
    </message>
    <message>
        <source>Opening the scenes</source>
        <translation>Szenen werden geöffnet</translation>
    </message>
    <message>
        <source>Compositing</source>
        <translation>Komposit wird gebildet</translation>
    </message>
    <message>
        <source>Exchange the VV band and the VH band, or choose a scene that holds them.</source>
        <translation>Das VV-Band und das VH-Band vertauschen oder eine Szene wählen, die beide enthält.</translation>
    </message>
    <message>
        <source>Use a scene at full resolution, or tick “Take pixels that are too coarse” among the advanced options.</source>
        <translation>Eine Szene in voller Auflösung verwenden oder bei den erweiterten Optionen „Zu grobe Pixel annehmen“ ankreuzen.</translation>
    </message>
    <message>
        <source>The unfinished run cannot go on</source>
        <translation>Der unvollendete Lauf kann nicht weitergehen</translation>
    </message>
    <message>
        <source>Repeat the run as it was, or untick “Go on where a stopped run was” to begin anew.</source>
        <translation>Den Lauf wiederholen, wie er war, oder „Fortsetzen, wo ein abgebrochener Lauf war“ abwählen, um neu zu beginnen.</translation>
    </message>
    <message>
        <source>Go on where a stopped run was</source>
        <translation>Fortsetzen, wo ein abgebrochener Lauf war</translation>
    </message>
    <message>
        <source>For long runs into files that you name: if the run is stopped or dies, what is done stays beside the files, and the same run goes on from there. Otherwise nothing is left behind.</source>
        <translation>Für lange Läufe in Dateien, die Sie benennen: Wird der Lauf abgebrochen oder stirbt er, so bleibt neben den Dateien, was fertig ist, und derselbe Lauf geht von dort weiter. Sonst bleibt nichts zurück.</translation>
    </message>
</context>
</TS>
